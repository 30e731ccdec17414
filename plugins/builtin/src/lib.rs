//! haliotis-plugin-builtin
