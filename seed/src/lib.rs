//! haliotis-seed
