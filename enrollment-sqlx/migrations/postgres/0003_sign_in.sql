-- Sessions of administrators, by the digests of their secrets.
create table admin_sessions (
    id uuid primary key,
    version bigint not null,
    admin_session_digest text collate "C" unique,
    admin_sessions_by_user_in text collate "C",
    admin_sessions_by_user bigint,
    admin_sessions_by_end_in text collate "C",
    admin_sessions_by_end bigint,
    layout integer not null,
    body text not null
);
create index admin_sessions_by_user on admin_sessions (admin_sessions_by_user_in, admin_sessions_by_user, id)
    where admin_sessions_by_user_in is not null;
create index admin_sessions_by_end on admin_sessions (admin_sessions_by_end_in, admin_sessions_by_end, id)
    where admin_sessions_by_end_in is not null;

-- From where somebody signed in or tried to, and how many answers were wrong. An id is a digest.
create table sign_in_places (
    id uuid primary key,
    version bigint not null,
    sign_in_places_by_user_in text collate "C",
    sign_in_places_by_user bigint,
    sign_in_places_passing_in text collate "C",
    sign_in_places_passing bigint,
    layout integer not null,
    body text not null
);
create index sign_in_places_by_user on sign_in_places (sign_in_places_by_user_in, sign_in_places_by_user, id)
    where sign_in_places_by_user_in is not null;
create index sign_in_places_passing on sign_in_places (sign_in_places_passing_in, sign_in_places_passing, id)
    where sign_in_places_passing_in is not null;
