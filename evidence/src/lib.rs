//! The sources Namespace Manager reads before it judges
