-- One table per kind of row. In each: the unique keys a row may hold once, as unique columns; then every index
-- as two columns, the part (`<index>_in`) and the place in it (`<index>`), null together when the row is not in the
-- index; then the layout and the text of the JSON document. Times are microseconds since 1970-01-01T00:00:00Z.
-- Other programs may read and join these tables; only the store writes them.

-- People.
create table users (
    id text primary key not null,
    version integer not null,
    username text unique,
    user_number integer unique,
    users_by_username_in text,
    users_by_username text,
    layout integer not null,
    body text not null
) strict;
create index users_by_username on users (users_by_username_in, users_by_username, id)
    where users_by_username_in is not null;

-- Invitations and what happens under them.
create table enrollments (
    id text primary key not null,
    version integer not null,
    token text unique,
    session text unique,
    open_enrollment text unique,
    enrollments_by_created_in text,
    enrollments_by_created integer,
    enrollments_by_expiry_in text,
    enrollments_by_expiry integer,
    enrollments_by_username_in text,
    enrollments_by_username text,
    enrollments_by_subject_in text,
    enrollments_by_subject integer,
    enrollments_reserving_in text,
    enrollments_reserving integer,
    layout integer not null,
    body text not null
) strict;
create index enrollments_by_created on enrollments (enrollments_by_created_in, enrollments_by_created, id)
    where enrollments_by_created_in is not null;
create index enrollments_by_expiry on enrollments (enrollments_by_expiry_in, enrollments_by_expiry, id)
    where enrollments_by_expiry_in is not null;
create index enrollments_by_username on enrollments (enrollments_by_username_in, enrollments_by_username, id)
    where enrollments_by_username_in is not null;
create index enrollments_by_subject on enrollments (enrollments_by_subject_in, enrollments_by_subject, id)
    where enrollments_by_subject_in is not null;
create index enrollments_reserving on enrollments (enrollments_reserving_in, enrollments_reserving, id)
    where enrollments_reserving_in is not null;

-- VPN networks.
create table locations (
    id text primary key not null,
    version integer not null,
    location_name text unique,
    location_number integer unique,
    locations_by_name_in text,
    locations_by_name text,
    layout integer not null,
    body text not null
) strict;
create index locations_by_name on locations (locations_by_name_in, locations_by_name, id)
    where locations_by_name_in is not null;

-- WireGuard public keys.
create table devices (
    id text primary key not null,
    version integer not null,
    public_key text unique,
    device_number integer unique,
    device_name text unique,
    devices_by_owner_in text,
    devices_by_owner integer,
    layout integer not null,
    body text not null
) strict;
create index devices_by_owner on devices (devices_by_owner_in, devices_by_owner, id)
    where devices_by_owner_in is not null;

-- Devices in locations.
create table attachments (
    id text primary key not null,
    version integer not null,
    device_location text unique,
    attachments_by_device_in text,
    attachments_by_device text,
    attachments_by_location_in text,
    attachments_by_location text,
    layout integer not null,
    body text not null
) strict;
create index attachments_by_device on attachments (attachments_by_device_in, attachments_by_device, id)
    where attachments_by_device_in is not null;
create index attachments_by_location on attachments (attachments_by_location_in, attachments_by_location, id)
    where attachments_by_location_in is not null;

-- Addresses of the locations' pools, in use or resting.
create table addresses (
    id text primary key not null,
    version integer not null,
    location_address text unique,
    addresses_by_pool_in text,
    addresses_by_pool text,
    layout integer not null,
    body text not null
) strict;
create index addresses_by_pool on addresses (addresses_by_pool_in, addresses_by_pool, id)
    where addresses_by_pool_in is not null;

-- Rows whose version stands for a set.
create table guards (
    id text primary key not null,
    version integer not null,
    layout integer not null,
    body text not null
) strict;

-- What an administrator chose.
create table settings (
    id text primary key not null,
    version integer not null,
    layout integer not null,
    body text not null
) strict;

-- Texts of an administrator's own.
create table templates (
    id text primary key not null,
    version integer not null,
    layout integer not null,
    body text not null
) strict;

-- Administrators' keys for the API.
create table api_keys (
    id text primary key not null,
    version integer not null,
    api_key_digest text unique,
    api_keys_by_created_in text,
    api_keys_by_created integer,
    layout integer not null,
    body text not null
) strict;
create index api_keys_by_created on api_keys (api_keys_by_created_in, api_keys_by_created, id)
    where api_keys_by_created_in is not null;

-- The audit log.
create table audit (
    id text primary key not null,
    version integer not null,
    audit_number integer unique,
    audit_chain_in text,
    audit_chain integer,
    audit_by_time_in text,
    audit_by_time integer,
    audit_by_subject_in text,
    audit_by_subject integer,
    layout integer not null,
    body text not null
) strict;
create index audit_chain on audit (audit_chain_in, audit_chain, id)
    where audit_chain_in is not null;
create index audit_by_time on audit (audit_by_time_in, audit_by_time, id)
    where audit_by_time_in is not null;
create index audit_by_subject on audit (audit_by_subject_in, audit_by_subject, id)
    where audit_by_subject_in is not null;

-- The head of the audit chain, and its signed batches.
create table seals (
    id text primary key not null,
    version integer not null,
    seals_by_number_in text,
    seals_by_number integer,
    layout integer not null,
    body text not null
) strict;
create index seals_by_number on seals (seals_by_number_in, seals_by_number, id)
    where seals_by_number_in is not null;

-- Unique keys of which one row may hold several.
create table many_keys (
    name text not null,
    value text not null,
    id text not null,
    primary key (name, value)
) strict, without rowid;
create index many_keys_by_row on many_keys (id);

-- What is to be done in the world. An entry is open until it has an outcome, and stays until it is pruned. While
-- `leased_until` is set it is under lease, or its lease ran out and nobody has taken it since.
create table outbox (
    id text primary key not null,
    channel text not null,
    stream text,
    stream_order integer,
    due integer not null,
    layout integer not null,
    body text not null,
    tries integer not null default 0,
    fence integer not null default 0,
    leased_until integer,
    outcome text check (outcome in ('done', 'obsolete', 'dead')),
    why text,
    ended_at integer,
    check ((stream is null) = (stream_order is null)),
    check ((outcome is null) = (ended_at is null)),
    check (outcome is null or leased_until is null)
) strict;
create index outbox_open on outbox (channel, due, id) where outcome is null;
create index outbox_streams on outbox (stream, stream_order, id) where outcome is null and stream is not null;
create index outbox_ended on outbox (outcome, ended_at) where outcome is not null;

-- Identifiers of changes that were applied, and digests of what they said.
create table changes (
    id text primary key not null,
    at integer not null,
    fingerprint text not null
) strict, without rowid;
create index changes_by_time on changes (at);
