SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.addresses (
    id uuid NOT NULL,
    version bigint NOT NULL,
    location_address text COLLATE pg_catalog."C",
    addresses_by_pool_in text COLLATE pg_catalog."C",
    addresses_by_pool text COLLATE pg_catalog."C",
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.admin_sessions (
    id uuid NOT NULL,
    version bigint NOT NULL,
    admin_session_digest text COLLATE pg_catalog."C",
    admin_sessions_by_user_in text COLLATE pg_catalog."C",
    admin_sessions_by_user bigint,
    admin_sessions_by_end_in text COLLATE pg_catalog."C",
    admin_sessions_by_end bigint,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.api_keys (
    id uuid NOT NULL,
    version bigint NOT NULL,
    api_key_digest text COLLATE pg_catalog."C",
    api_keys_by_created_in text COLLATE pg_catalog."C",
    api_keys_by_created bigint,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.attachments (
    id uuid NOT NULL,
    version bigint NOT NULL,
    device_location text COLLATE pg_catalog."C",
    attachments_by_device_in text COLLATE pg_catalog."C",
    attachments_by_device text COLLATE pg_catalog."C",
    attachments_by_location_in text COLLATE pg_catalog."C",
    attachments_by_location text COLLATE pg_catalog."C",
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.audit (
    id uuid NOT NULL,
    version bigint NOT NULL,
    audit_number bigint,
    audit_chain_in text COLLATE pg_catalog."C",
    audit_chain bigint,
    audit_by_time_in text COLLATE pg_catalog."C",
    audit_by_time bigint,
    audit_by_subject_in text COLLATE pg_catalog."C",
    audit_by_subject bigint,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.changes (
    id uuid NOT NULL,
    at bigint NOT NULL,
    fingerprint text NOT NULL
);
CREATE TABLE public.devices (
    id uuid NOT NULL,
    version bigint NOT NULL,
    public_key text COLLATE pg_catalog."C",
    device_number bigint,
    device_name text COLLATE pg_catalog."C",
    devices_by_owner_in text COLLATE pg_catalog."C",
    devices_by_owner bigint,
    layout integer NOT NULL,
    body text NOT NULL,
    polling_token text COLLATE pg_catalog."C"
);
CREATE TABLE public.enrollment_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE public.enrollments (
    id uuid NOT NULL,
    version bigint NOT NULL,
    token text COLLATE pg_catalog."C",
    session text COLLATE pg_catalog."C",
    open_enrollment text COLLATE pg_catalog."C",
    enrollments_by_created_in text COLLATE pg_catalog."C",
    enrollments_by_created bigint,
    enrollments_by_expiry_in text COLLATE pg_catalog."C",
    enrollments_by_expiry bigint,
    enrollments_by_username_in text COLLATE pg_catalog."C",
    enrollments_by_username text COLLATE pg_catalog."C",
    enrollments_by_subject_in text COLLATE pg_catalog."C",
    enrollments_by_subject bigint,
    enrollments_reserving_in text COLLATE pg_catalog."C",
    enrollments_reserving bigint,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.guards (
    id uuid NOT NULL,
    version bigint NOT NULL,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.locations (
    id uuid NOT NULL,
    version bigint NOT NULL,
    location_name text COLLATE pg_catalog."C",
    location_number bigint,
    locations_by_name_in text COLLATE pg_catalog."C",
    locations_by_name text COLLATE pg_catalog."C",
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.machines (
    id uuid NOT NULL,
    version bigint NOT NULL,
    machine_name text COLLATE pg_catalog."C",
    machines_by_location_in text COLLATE pg_catalog."C",
    machines_by_location text COLLATE pg_catalog."C",
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.mails (
    id uuid NOT NULL,
    version bigint NOT NULL,
    mails_by_state_in text COLLATE pg_catalog."C",
    mails_by_state bigint,
    mails_by_user_in text COLLATE pg_catalog."C",
    mails_by_user bigint,
    mails_by_enrollment_in text COLLATE pg_catalog."C",
    mails_by_enrollment bigint,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.many_keys (
    name text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C",
    id uuid NOT NULL
);
CREATE TABLE public.outbox (
    id uuid NOT NULL,
    channel text NOT NULL COLLATE pg_catalog."C",
    stream text COLLATE pg_catalog."C",
    stream_order bigint,
    due bigint NOT NULL,
    layout integer NOT NULL,
    body text NOT NULL,
    tries bigint DEFAULT 0 NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    leased_until bigint,
    outcome text COLLATE pg_catalog."C",
    why text,
    ended_at bigint,
    CONSTRAINT outbox_check CHECK (((stream IS NULL) = (stream_order IS NULL))),
    CONSTRAINT outbox_check1 CHECK (((outcome IS NULL) = (ended_at IS NULL))),
    CONSTRAINT outbox_check2 CHECK (((outcome IS NULL) OR (leased_until IS NULL))),
    CONSTRAINT outbox_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'obsolete'::text, 'dead'::text])))
);
CREATE TABLE public.pauses (
    id uuid NOT NULL,
    version bigint NOT NULL,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.seals (
    id uuid NOT NULL,
    version bigint NOT NULL,
    seals_by_number_in text COLLATE pg_catalog."C",
    seals_by_number bigint,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.settings (
    id uuid NOT NULL,
    version bigint NOT NULL,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.sign_in_places (
    id uuid NOT NULL,
    version bigint NOT NULL,
    sign_in_places_by_user_in text COLLATE pg_catalog."C",
    sign_in_places_by_user bigint,
    sign_in_places_passing_in text COLLATE pg_catalog."C",
    sign_in_places_passing bigint,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.templates (
    id uuid NOT NULL,
    version bigint NOT NULL,
    layout integer NOT NULL,
    body text NOT NULL
);
CREATE TABLE public.users (
    id uuid NOT NULL,
    version bigint NOT NULL,
    username text COLLATE pg_catalog."C",
    user_number bigint,
    users_by_username_in text COLLATE pg_catalog."C",
    users_by_username text COLLATE pg_catalog."C",
    layout integer NOT NULL,
    body text NOT NULL
);
INSERT INTO public.changes VALUES ('01930000-0000-7000-8000-000000000065', 1764000000000000, '3f41ba6a823d52b10cc6efc190999fee04c4f6573b11ce8c49cd90522fc07bc9');
INSERT INTO public.changes VALUES ('01930000-0000-7000-8000-000000000066', 1764000000000000, '0f35f815d06fa1147d6f9abbea3a24880667910e0abe0630ae5bb76767106876');
INSERT INTO public.changes VALUES ('01930000-0000-7000-8000-000000000067', 1764000000000000, '491e0da198755d021927f3179a00c5cb4d62c98b1833bf3c0c42fbbed546db4b');
INSERT INTO public.enrollment_migrations VALUES (1, 'tables', '2026-11-23 02:15:57.864616+00', true, '\x5cf5052118081e7888f8e6c2545d3219a834c1a578908f84429572350ce1b93f88dc4abb004740f0b8b7ee4719964344', 500633131);
INSERT INTO public.enrollment_migrations VALUES (2, 'mails', '2026-11-23 02:15:58.372816+00', true, '\x9dac012a644c12c7d83fb14cc88d4837d75b81ceb37e5dab1db5fcd0aaa5e9e4b6784652f6e46da6b0594588cf399031', 95863426);
INSERT INTO public.enrollment_migrations VALUES (3, 'sign in', '2026-11-23 02:15:58.469983+00', true, '\x2d7cf117d85431c8cc27b5939edd82669b10f267ed6cd252a5d6c75ec8ae86741ed6f0b22a999edb9453cfc3a3dcd791', 63967857);
INSERT INTO public.enrollment_migrations VALUES (4, 'defguard', '2026-11-23 02:15:58.535597+00', true, '\x328b137ca9f9986ffe71bc2e3840bda685587e65dec9ecd319f68d4d968d8a998c24067e1e1cbbd87ecd2e868130ba9b', 14946262);
INSERT INTO public.enrollment_migrations VALUES (5, 'machines', '2026-11-23 02:15:58.555344+00', true, '\xa003062e80bae7cdf91568dc59bc9a961675d870eeb1b691a3b18b75b5fdf3610bff9182d996ca7fb2a0fdb2ad2f158b', 20049695);
INSERT INTO public.enrollments VALUES ('01930000-0000-7000-8000-000000000002', 2, 'present', NULL, NULL, 'open', 1764000000000000, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 3, '{}');
INSERT INTO public.many_keys VALUES ('past_token', 'first', '01930000-0000-7000-8000-000000000002');
INSERT INTO public.many_keys VALUES ('past_token', 'second', '01930000-0000-7000-8000-000000000002');
INSERT INTO public.outbox VALUES ('01930000-0000-7000-8000-00000000000d', 'peer', 'ström', 2, 1764000000000000, 3, '{"intent":"x"}', 0, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.outbox VALUES ('01930000-0000-7000-8000-00000000000b', 'email', NULL, NULL, 1764000000000000, 3, '{"intent":"x"}', 1, 1, NULL, 'done', NULL, 1764000001000000);
INSERT INTO public.outbox VALUES ('01930000-0000-7000-8000-00000000000c', 'peer', 'ström', 1, 1764000000000000, 3, '{"intent":"x"}', 1, 1, 1764003600000000, NULL, NULL, NULL);
INSERT INTO public.outbox VALUES ('01930000-0000-7000-8000-00000000000e', 'email', NULL, NULL, 1764000000000000, 3, '{"intent":"x"}', 1, 1, NULL, 'dead', 'nobody there', 1764000001000000);
INSERT INTO public.users VALUES ('01930000-0000-7000-8000-000000000001', 2, 'änna', 9007199254740991, '', 'änna', 3, '{"name":  "Änna 🦀", "quote": "''\"\\"}');
ALTER TABLE ONLY public.addresses
    ADD CONSTRAINT addresses_location_address_key UNIQUE (location_address);
ALTER TABLE ONLY public.addresses
    ADD CONSTRAINT addresses_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.admin_sessions
    ADD CONSTRAINT admin_sessions_admin_session_digest_key UNIQUE (admin_session_digest);
ALTER TABLE ONLY public.admin_sessions
    ADD CONSTRAINT admin_sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_api_key_digest_key UNIQUE (api_key_digest);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_device_location_key UNIQUE (device_location);
ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_audit_number_key UNIQUE (audit_number);
ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_device_name_key UNIQUE (device_name);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_device_number_key UNIQUE (device_number);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_polling_token_key UNIQUE (polling_token);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_public_key_key UNIQUE (public_key);
ALTER TABLE ONLY public.enrollment_migrations
    ADD CONSTRAINT enrollment_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.enrollments
    ADD CONSTRAINT enrollments_open_enrollment_key UNIQUE (open_enrollment);
ALTER TABLE ONLY public.enrollments
    ADD CONSTRAINT enrollments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.enrollments
    ADD CONSTRAINT enrollments_session_key UNIQUE (session);
ALTER TABLE ONLY public.enrollments
    ADD CONSTRAINT enrollments_token_key UNIQUE (token);
ALTER TABLE ONLY public.guards
    ADD CONSTRAINT guards_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.locations
    ADD CONSTRAINT locations_location_name_key UNIQUE (location_name);
ALTER TABLE ONLY public.locations
    ADD CONSTRAINT locations_location_number_key UNIQUE (location_number);
ALTER TABLE ONLY public.locations
    ADD CONSTRAINT locations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.machines
    ADD CONSTRAINT machines_machine_name_key UNIQUE (machine_name);
ALTER TABLE ONLY public.machines
    ADD CONSTRAINT machines_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.mails
    ADD CONSTRAINT mails_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.many_keys
    ADD CONSTRAINT many_keys_pkey PRIMARY KEY (name, value);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.pauses
    ADD CONSTRAINT pauses_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.seals
    ADD CONSTRAINT seals_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.settings
    ADD CONSTRAINT settings_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sign_in_places
    ADD CONSTRAINT sign_in_places_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.templates
    ADD CONSTRAINT templates_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_user_number_key UNIQUE (user_number);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_username_key UNIQUE (username);
CREATE INDEX addresses_by_pool ON public.addresses USING btree (addresses_by_pool_in, addresses_by_pool, id) WHERE (addresses_by_pool_in IS NOT NULL);
CREATE INDEX admin_sessions_by_end ON public.admin_sessions USING btree (admin_sessions_by_end_in, admin_sessions_by_end, id) WHERE (admin_sessions_by_end_in IS NOT NULL);
CREATE INDEX admin_sessions_by_user ON public.admin_sessions USING btree (admin_sessions_by_user_in, admin_sessions_by_user, id) WHERE (admin_sessions_by_user_in IS NOT NULL);
CREATE INDEX api_keys_by_created ON public.api_keys USING btree (api_keys_by_created_in, api_keys_by_created, id) WHERE (api_keys_by_created_in IS NOT NULL);
CREATE INDEX attachments_by_device ON public.attachments USING btree (attachments_by_device_in, attachments_by_device, id) WHERE (attachments_by_device_in IS NOT NULL);
CREATE INDEX attachments_by_location ON public.attachments USING btree (attachments_by_location_in, attachments_by_location, id) WHERE (attachments_by_location_in IS NOT NULL);
CREATE INDEX audit_by_subject ON public.audit USING btree (audit_by_subject_in, audit_by_subject, id) WHERE (audit_by_subject_in IS NOT NULL);
CREATE INDEX audit_by_time ON public.audit USING btree (audit_by_time_in, audit_by_time, id) WHERE (audit_by_time_in IS NOT NULL);
CREATE INDEX audit_chain ON public.audit USING btree (audit_chain_in, audit_chain, id) WHERE (audit_chain_in IS NOT NULL);
CREATE INDEX changes_by_time ON public.changes USING btree (at);
CREATE INDEX devices_by_owner ON public.devices USING btree (devices_by_owner_in, devices_by_owner, id) WHERE (devices_by_owner_in IS NOT NULL);
CREATE INDEX enrollments_by_created ON public.enrollments USING btree (enrollments_by_created_in, enrollments_by_created, id) WHERE (enrollments_by_created_in IS NOT NULL);
CREATE INDEX enrollments_by_expiry ON public.enrollments USING btree (enrollments_by_expiry_in, enrollments_by_expiry, id) WHERE (enrollments_by_expiry_in IS NOT NULL);
CREATE INDEX enrollments_by_subject ON public.enrollments USING btree (enrollments_by_subject_in, enrollments_by_subject, id) WHERE (enrollments_by_subject_in IS NOT NULL);
CREATE INDEX enrollments_by_username ON public.enrollments USING btree (enrollments_by_username_in, enrollments_by_username, id) WHERE (enrollments_by_username_in IS NOT NULL);
CREATE INDEX enrollments_reserving ON public.enrollments USING btree (enrollments_reserving_in, enrollments_reserving, id) WHERE (enrollments_reserving_in IS NOT NULL);
CREATE INDEX locations_by_name ON public.locations USING btree (locations_by_name_in, locations_by_name, id) WHERE (locations_by_name_in IS NOT NULL);
CREATE INDEX machines_by_location ON public.machines USING btree (machines_by_location_in, machines_by_location, id) WHERE (machines_by_location_in IS NOT NULL);
CREATE INDEX mails_by_enrollment ON public.mails USING btree (mails_by_enrollment_in, mails_by_enrollment, id) WHERE (mails_by_enrollment_in IS NOT NULL);
CREATE INDEX mails_by_state ON public.mails USING btree (mails_by_state_in, mails_by_state, id) WHERE (mails_by_state_in IS NOT NULL);
CREATE INDEX mails_by_user ON public.mails USING btree (mails_by_user_in, mails_by_user, id) WHERE (mails_by_user_in IS NOT NULL);
CREATE INDEX many_keys_by_row ON public.many_keys USING btree (id);
CREATE INDEX outbox_ended ON public.outbox USING btree (outcome, ended_at) WHERE (outcome IS NOT NULL);
CREATE INDEX outbox_leased ON public.outbox USING btree (stream, leased_until) WHERE ((leased_until IS NOT NULL) AND (stream IS NOT NULL));
CREATE INDEX outbox_open ON public.outbox USING btree (channel, due, id) WHERE (outcome IS NULL);
CREATE INDEX outbox_streams ON public.outbox USING btree (stream, stream_order, id) WHERE ((outcome IS NULL) AND (stream IS NOT NULL));
CREATE INDEX seals_by_number ON public.seals USING btree (seals_by_number_in, seals_by_number, id) WHERE (seals_by_number_in IS NOT NULL);
CREATE INDEX sign_in_places_by_user ON public.sign_in_places USING btree (sign_in_places_by_user_in, sign_in_places_by_user, id) WHERE (sign_in_places_by_user_in IS NOT NULL);
CREATE INDEX sign_in_places_passing ON public.sign_in_places USING btree (sign_in_places_passing_in, sign_in_places_passing, id) WHERE (sign_in_places_passing_in IS NOT NULL);
CREATE INDEX users_by_username ON public.users USING btree (users_by_username_in, users_by_username, id) WHERE (users_by_username_in IS NOT NULL);
