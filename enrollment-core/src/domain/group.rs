//! Groups of users, and who reaches which location.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::text::Line;

/// A group's name. A group exists by being named on users and locations; it has no record of its own.
pub type GroupName = Line<1, 64>;

/// Who reaches a location (DEV-7).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Every active user.
    #[default]
    Everyone,
    /// Members of at least one of these groups.
    Groups(BTreeSet<GroupName>),
}

impl Access {
    /// Whether a member of `groups` reaches it.
    #[must_use]
    pub fn admits(&self, groups: &BTreeSet<GroupName>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Groups(admitted) => !admitted.is_disjoint(groups),
        }
    }

    /// Whether it admits anybody whom `before` did not.
    #[must_use]
    pub fn widens(&self, before: &Self) -> bool {
        match (before, self) {
            (Self::Everyone, _) => false,
            (Self::Groups(_), Self::Everyone) => true,
            (Self::Groups(before), Self::Groups(now)) => !now.is_subset(before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DEV-7
    #[test]
    fn a_location_admits_everyone_or_members_of_its_groups() {
        let group = |name: &str| name.parse::<GroupName>().expect("a group name");
        let sales = BTreeSet::from([group("sales")]);
        assert!(Access::Everyone.admits(&BTreeSet::new()));
        assert!(Access::Groups(BTreeSet::from([group("sales"), group("it")])).admits(&sales));
        assert!(!Access::Groups(BTreeSet::from([group("it")])).admits(&sales));
        assert!(!Access::Groups(BTreeSet::new()).admits(&sales));
    }

    /// DEV-7
    #[test]
    fn access_widens_exactly_when_somebody_may_be_admitted_who_was_not() {
        let groups = |names: &[&str]| {
            Access::Groups(names.iter().map(|name| name.parse().expect("a group name")).collect::<BTreeSet<_>>())
        };
        for (before, after, widens) in [
            (groups(&["it"]), Access::Everyone, true),
            (groups(&["it"]), groups(&["it", "sales"]), true),
            (groups(&["it"]), groups(&["sales"]), true),
            (groups(&["it", "sales"]), groups(&["it"]), false),
            (Access::Everyone, groups(&["it"]), false),
            (Access::Everyone, Access::Everyone, false),
        ] {
            assert_eq!(after.widens(&before), widens, "{before:?} to {after:?}");
        }
    }
}
