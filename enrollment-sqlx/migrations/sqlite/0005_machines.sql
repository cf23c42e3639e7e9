-- Unattended machines: a named device each, made beforehand in one location, with its addresses.
create table machines (
    id text primary key not null,
    version integer not null,
    machine_name text unique,
    machines_by_location_in text,
    machines_by_location text,
    layout integer not null,
    body text not null
) strict;
create index machines_by_location on machines (machines_by_location_in, machines_by_location, id)
    where machines_by_location_in is not null;
