//! haliotis-scm
