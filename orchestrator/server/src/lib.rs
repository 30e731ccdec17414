//! haliotis-server
