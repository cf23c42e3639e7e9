-- The token with which a device asks for its configuration again.
alter table devices add column polling_token text;
create unique index devices_polling_token_key on devices (polling_token);
