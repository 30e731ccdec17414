//! haliotis-yaml
