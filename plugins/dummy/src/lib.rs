//! haliotis-plugin-dummy
