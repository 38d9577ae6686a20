//! Which namespaces are whose, where several collectors share them out.

use clap::Args;
use lifecycle::{Keys, Namespace, Record, Uid, policy::hash};

/// The CI label by which namespaces are kept together: those that supersede each other share it.
const PROJECT: &str = "projectId";

/// One of several parts of all namespaces. Which part a namespace is of follows from its project, where it has one, and
/// else from its uid, so that every collector says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Args)]
pub struct Shard {
    /// Which part
    #[arg(long = "shard", default_value_t = 0)]
    pub number: u32,
    /// How many parts there are
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub of: u32,
}

impl Shard {
    /// All of them.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// Whether a namespace that is there is of this part.
    pub(crate) fn holds(self, namespace: &Namespace, keys: &Keys) -> bool {
        let project = namespace.label(&keys.of_ci(PROJECT));
        self.is_part(project, &namespace.uid)
    }

    /// Whether a namespace that is gone was of this part, by what was known when it was adopted.
    pub(crate) fn held(self, record: &Record) -> bool {
        let project = record.ci.iter().find(|pair| pair.k == PROJECT).map(|pair| pair.v.as_str());
        self.is_part(project, &record.uid)
    }

    fn is_part(self, project: Option<&str>, uid: &Uid) -> bool {
        if self.of == 1 {
            return true;
        }
        let key = project.map_or_else(|| format!("uid/{uid}"), |project| format!("project/{project}"));
        let number = u64::from_str_radix(&hash(&key), 16).expect("a hash is 16 hexadecimal digits");
        number % u64::from(self.of) == u64::from(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(project: Option<&str>, uid: &str, of: u32) -> Vec<u32> {
        let uid = Uid::new(uid);
        (0..of).filter(|number| Shard { number: *number, of }.is_part(project, &uid)).collect()
    }

    #[test]
    fn each_is_of_one_part() {
        for of in [1, 2, 7] {
            for number in 0..100 {
                assert_eq!(part(None, &format!("u{number}"), of).len(), 1);
            }
        }
    }

    #[test]
    fn all_of_a_project_are_of_the_same_part() {
        let parts: Vec<_> = (0..20).map(|number| part(Some("17"), &format!("u{number}"), 7)).collect();
        assert!(parts.iter().all(|part| *part == parts[0]), "{parts:?}");
    }

    /// Two versions of the program run side by side during an upgrade.
    #[test]
    fn which_part_it_is_never_changes() {
        let parts = ["1", "2", "3", "4", "5"].map(|project| part(Some(project), "u", 7)[0]);
        assert_eq!(parts, PARTS);
    }

    const PARTS: [u32; 5] = [1, 2, 5, 2, 3];
}
