//! G2: what a change expects is what it finds.

use enrollment_core::port::{CommitOutcome, Expect, Op};
use enrollment_core::record::{Kind, Row, Version};

use super::bed::{Bed, RowExt, Verdict, applied, check, check_absent, delete, is_absent, outcome, put, stands};

/// A write on top of any other version than the standing one, or of no row, is stale.
pub(super) async fn g2_a_put_expects_its_version(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let first = bed.row(Kind::User);
    let second = first.next().json(r#"{"second":true}"#);
    let third = second.next().json(r#"{"third":true}"#);
    applied(&store, &bed.change(vec![put(&first)])?).await?;
    stale(bed, &store, put(&third), "an update of a version to come").await?;
    stands(&store, &first, "after a refusal").await?;
    applied(&store, &bed.change(vec![put(&second)])?).await?;
    stale(bed, &store, put(&second), "an update of a version that is past").await?;
    stands(&store, &second, "after a refusal").await?;
    let absent = bed.row(Kind::User).next();
    stale(bed, &store, put(&absent), "an update of an absent row").await?;
    is_absent(&store, absent.key, "after a refusal").await
}

/// Making a row that stands is stale, at its first version and later.
pub(super) async fn g2_a_put_expects_absence(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let first = bed.row(Kind::User);
    let again = first.clone().json(r#"{"again":true}"#);
    applied(&store, &bed.change(vec![put(&first)])?).await?;
    stale(bed, &store, Op::Put { expect: Expect::Absent, next: again.clone() }, "making a row that stands").await?;
    stands(&store, &first, "after a refusal").await?;
    let second = first.next();
    applied(&store, &bed.change(vec![put(&second)])?).await?;
    stale(bed, &store, put(&again), "making a row that was updated").await?;
    stands(&store, &second, "after a refusal").await
}

/// Deleting any other version than the standing one, or no row, is stale.
pub(super) async fn g2_a_delete_expects_its_version(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let first = bed.row(Kind::User);
    let second = first.next();
    applied(&store, &bed.change(vec![put(&first)])?).await?;
    stale(bed, &store, delete(&second), "a delete of a version to come").await?;
    applied(&store, &bed.change(vec![put(&second)])?).await?;
    stale(bed, &store, delete(&first), "a delete of a version that is past").await?;
    stands(&store, &second, "after a refusal").await?;
    applied(&store, &bed.change(vec![delete(&second)])?).await?;
    is_absent(&store, second.key, "after the delete").await?;
    stale(bed, &store, delete(&second), "a delete of an absent row").await
}

/// A check of another version than the standing one refuses the whole change; a check that holds changes nothing.
pub(super) async fn g2_a_check_holds_a_version(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let guard = bed.row(Kind::Guard);
    let later = Row { version: Version(2), ..guard.clone() };
    applied(&store, &bed.change(vec![put(&guard)])?).await?;
    let made = bed.row(Kind::User);
    refused(bed, &store, check(&later), &made, "a check of a version to come").await?;
    applied(&store, &bed.change(vec![check(&guard), put(&made)])?).await?;
    stands(&store, &guard, "a row that was checked").await?;
    stands(&store, &made, "a row beside a check that holds").await?;
    applied(&store, &bed.change(vec![put(&later)])?).await?;
    refused(bed, &store, check(&guard), &bed.row(Kind::User), "a check of a version that is past").await?;
    applied(&store, &bed.change(vec![delete(&later)])?).await?;
    refused(bed, &store, check(&later), &bed.row(Kind::User), "a check of a row that was deleted").await
}

/// A check that a row is absent holds while it is and refuses the change once it stands.
pub(super) async fn g2_a_check_of_an_absent_row_refuses_a_phantom(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let phantom = bed.row(Kind::Guard);
    applied(&store, &bed.change(vec![check_absent(phantom.key), put(&bed.row(Kind::User))])?).await?;
    is_absent(&store, phantom.key, "a row that was only checked").await?;
    applied(&store, &bed.change(vec![put(&phantom)])?).await?;
    refused(bed, &store, check_absent(phantom.key), &bed.row(Kind::User), "a check of absence").await?;
    applied(&store, &bed.change(vec![delete(&phantom)])?).await?;
    applied(&store, &bed.change(vec![check_absent(phantom.key), put(&bed.row(Kind::User))])?).await
}

/// A deleted row leaves no trace that stands against a new one; the new one starts at its first version.
pub(super) async fn g2_a_row_may_come_again_after_its_delete(bed: &Bed) -> Verdict {
    let store = bed.open().await?;
    let first = bed.row(Kind::User);
    applied(&store, &bed.change(vec![put(&first)])?).await?;
    applied(&store, &bed.change(vec![delete(&first)])?).await?;
    let again = first.json(r#"{"again":true}"#);
    applied(&store, &bed.change(vec![put(&again)])?).await?;
    stands(&store, &again, "the row made again").await
}

type Handle = std::sync::Arc<dyn enrollment_core::port::Store>;

async fn stale(bed: &Bed, store: &Handle, op: Op, what: &str) -> Verdict {
    outcome(store, &bed.change(vec![op])?, CommitOutcome::Stale, what).await
}

/// A change that would make a row beside a check that does not hold.
async fn refused(bed: &Bed, store: &Handle, check: Op, made: &Row, what: &str) -> Verdict {
    outcome(store, &bed.change(vec![check, put(made)])?, CommitOutcome::Stale, what).await?;
    is_absent(store, made.key, what).await
}
