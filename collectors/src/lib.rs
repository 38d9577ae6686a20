//! Watches namespaces, judges them and writes their history
