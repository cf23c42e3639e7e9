-- One table per kind of row. In each: the unique keys a row may hold once, as unique columns; then every index
-- as two columns, the part (`<index>_in`) and the place in it (`<index>`), null together when the row is not in the
-- index; then the layout and the text of the JSON document. Times are microseconds since 1970-01-01T00:00:00Z.
-- Other programs may read and join these tables; only the store writes them.
--
-- Texts that are keys compare and order by their bytes (collation "C"). A document is text and not jsonb: it comes back
-- byte for byte.

-- People.
create table users (
    id uuid primary key,
    version bigint not null,
    username text collate "C" unique,
    user_number bigint unique,
    users_by_username_in text collate "C",
    users_by_username text collate "C",
    layout integer not null,
    body text not null
);
create index users_by_username on users (users_by_username_in, users_by_username, id)
    where users_by_username_in is not null;

-- Invitations and what happens under them.
create table enrollments (
    id uuid primary key,
    version bigint not null,
    token text collate "C" unique,
    session text collate "C" unique,
    open_enrollment text collate "C" unique,
    enrollments_by_created_in text collate "C",
    enrollments_by_created bigint,
    enrollments_by_expiry_in text collate "C",
    enrollments_by_expiry bigint,
    enrollments_by_username_in text collate "C",
    enrollments_by_username text collate "C",
    enrollments_by_subject_in text collate "C",
    enrollments_by_subject bigint,
    enrollments_reserving_in text collate "C",
    enrollments_reserving bigint,
    layout integer not null,
    body text not null
);
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
    id uuid primary key,
    version bigint not null,
    location_name text collate "C" unique,
    location_number bigint unique,
    locations_by_name_in text collate "C",
    locations_by_name text collate "C",
    layout integer not null,
    body text not null
);
create index locations_by_name on locations (locations_by_name_in, locations_by_name, id)
    where locations_by_name_in is not null;

-- WireGuard public keys.
create table devices (
    id uuid primary key,
    version bigint not null,
    public_key text collate "C" unique,
    device_number bigint unique,
    device_name text collate "C" unique,
    devices_by_owner_in text collate "C",
    devices_by_owner bigint,
    layout integer not null,
    body text not null
);
create index devices_by_owner on devices (devices_by_owner_in, devices_by_owner, id)
    where devices_by_owner_in is not null;

-- Devices in locations.
create table attachments (
    id uuid primary key,
    version bigint not null,
    device_location text collate "C" unique,
    attachments_by_device_in text collate "C",
    attachments_by_device text collate "C",
    attachments_by_location_in text collate "C",
    attachments_by_location text collate "C",
    layout integer not null,
    body text not null
);
create index attachments_by_device on attachments (attachments_by_device_in, attachments_by_device, id)
    where attachments_by_device_in is not null;
create index attachments_by_location on attachments (attachments_by_location_in, attachments_by_location, id)
    where attachments_by_location_in is not null;

-- Addresses of the locations' pools, in use or resting.
create table addresses (
    id uuid primary key,
    version bigint not null,
    location_address text collate "C" unique,
    addresses_by_pool_in text collate "C",
    addresses_by_pool text collate "C",
    layout integer not null,
    body text not null
);
create index addresses_by_pool on addresses (addresses_by_pool_in, addresses_by_pool, id)
    where addresses_by_pool_in is not null;

-- Rows whose version stands for a set.
create table guards (
    id uuid primary key,
    version bigint not null,
    layout integer not null,
    body text not null
);

-- What an administrator chose.
create table settings (
    id uuid primary key,
    version bigint not null,
    layout integer not null,
    body text not null
);

-- Texts of an administrator's own.
create table templates (
    id uuid primary key,
    version bigint not null,
    layout integer not null,
    body text not null
);

-- Administrators' keys for the API.
create table api_keys (
    id uuid primary key,
    version bigint not null,
    api_key_digest text collate "C" unique,
    api_keys_by_created_in text collate "C",
    api_keys_by_created bigint,
    layout integer not null,
    body text not null
);
create index api_keys_by_created on api_keys (api_keys_by_created_in, api_keys_by_created, id)
    where api_keys_by_created_in is not null;

-- The audit log.
create table audit (
    id uuid primary key,
    version bigint not null,
    audit_number bigint unique,
    audit_chain_in text collate "C",
    audit_chain bigint,
    audit_by_time_in text collate "C",
    audit_by_time bigint,
    audit_by_subject_in text collate "C",
    audit_by_subject bigint,
    layout integer not null,
    body text not null
);
create index audit_chain on audit (audit_chain_in, audit_chain, id)
    where audit_chain_in is not null;
create index audit_by_time on audit (audit_by_time_in, audit_by_time, id)
    where audit_by_time_in is not null;
create index audit_by_subject on audit (audit_by_subject_in, audit_by_subject, id)
    where audit_by_subject_in is not null;

-- The head of the audit chain, and its signed batches.
create table seals (
    id uuid primary key,
    version bigint not null,
    seals_by_number_in text collate "C",
    seals_by_number bigint,
    layout integer not null,
    body text not null
);
create index seals_by_number on seals (seals_by_number_in, seals_by_number, id)
    where seals_by_number_in is not null;

-- Unique keys of which one row may hold several.
create table many_keys (
    name text collate "C" not null,
    value text collate "C" not null,
    id uuid not null,
    primary key (name, value)
);
create index many_keys_by_row on many_keys (id);

-- What is to be done in the world. An entry is open until it has an outcome, and stays until it is pruned. While
-- `leased_until` is set it is under lease, or its lease ran out and nobody has taken it since.
create table outbox (
    id uuid primary key,
    channel text collate "C" not null,
    stream text collate "C",
    stream_order bigint,
    due bigint not null,
    layout integer not null,
    body text not null,
    tries bigint not null default 0,
    fence bigint not null default 0,
    leased_until bigint,
    outcome text collate "C" check (outcome in ('done', 'obsolete', 'dead')),
    why text,
    ended_at bigint,
    check ((stream is null) = (stream_order is null)),
    check ((outcome is null) = (ended_at is null)),
    check (outcome is null or leased_until is null)
);
create index outbox_open on outbox (channel, due, id) where outcome is null;
create index outbox_streams on outbox (stream, stream_order, id) where outcome is null and stream is not null;
create index outbox_leased on outbox (stream, leased_until) where leased_until is not null and stream is not null;
create index outbox_ended on outbox (outcome, ended_at) where outcome is not null;

-- Identifiers of changes that were applied, and digests of what they said.
create table changes (
    id uuid primary key,
    at bigint not null,
    fingerprint text not null
);
create index changes_by_time on changes (at);
