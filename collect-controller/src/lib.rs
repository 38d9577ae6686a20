//! Keeps the collectors of Namespace Manager running
