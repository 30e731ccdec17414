//! haliotis-tests
