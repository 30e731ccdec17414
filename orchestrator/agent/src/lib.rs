//! haliotis-agent
