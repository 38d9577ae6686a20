//! Plans what is due and keeps enough workers for it
