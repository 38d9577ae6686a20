//! HTTP over the record store of Namespace Manager
