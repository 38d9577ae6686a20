//! Carries out one task after another, by the deletion protocol
