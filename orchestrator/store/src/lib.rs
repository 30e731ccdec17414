//! haliotis-store
