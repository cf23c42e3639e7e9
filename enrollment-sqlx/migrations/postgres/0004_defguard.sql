-- The token with which a device asks for its configuration again.
alter table devices add column polling_token text collate "C" unique;
