//! nsm: the whole of Namespace Manager on a laptop, and its client for people
