//! haliotis-engine
