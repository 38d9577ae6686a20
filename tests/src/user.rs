//! Who may call the apiserver.

/// A user the apiserver knows by a token. What it may do, RBAC says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// As it appears in RBAC and in the audit log. `system:serviceaccount:NAMESPACE:NAME` stands in for a service account.
    pub name: String,
    /// Besides `system:authenticated`, which everybody is in.
    pub groups: Vec<String>,
}

impl User {
    /// May do everything (group `system:masters`). Every control plane has it.
    pub const ADMIN: &str = "admin";

    /// A user who may do nothing until a role is bound to it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), groups: Vec::new() }
    }

    /// The same user, in `group` too.
    #[must_use]
    pub fn in_group(mut self, group: &str) -> Self {
        self.groups.push(group.to_owned());
        self
    }

    pub(crate) fn admin() -> Self {
        Self::new(Self::ADMIN).in_group("system:masters")
    }
}
