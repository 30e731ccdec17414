//! haliotis-local-cloud
