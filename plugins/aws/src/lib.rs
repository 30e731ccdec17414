//! haliotis-plugin-aws
