-- Messages from the change that causes them to their end. No text of one is kept, and no secret.
create table mails (
    id uuid primary key,
    version bigint not null,
    mails_by_state_in text collate "C",
    mails_by_state bigint,
    mails_by_user_in text collate "C",
    mails_by_user bigint,
    mails_by_enrollment_in text collate "C",
    mails_by_enrollment bigint,
    layout integer not null,
    body text not null
);
create index mails_by_state on mails (mails_by_state_in, mails_by_state, id)
    where mails_by_state_in is not null;
create index mails_by_user on mails (mails_by_user_in, mails_by_user, id)
    where mails_by_user_in is not null;
create index mails_by_enrollment on mails (mails_by_enrollment_in, mails_by_enrollment, id)
    where mails_by_enrollment_in is not null;

-- Channels that take nothing from us.
create table pauses (
    id uuid primary key,
    version bigint not null,
    layout integer not null,
    body text not null
);
