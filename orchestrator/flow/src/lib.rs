//! haliotis-flow
