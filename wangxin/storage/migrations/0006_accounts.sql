-- Who logs in, where they belong, the keys of shops' own servers, and what people upload.

-- An account may serve many shops, so it stands before the wall: these two tables are closed to the web's role, and
-- only wangxin/storage/accounts.py reads them.
create table account (
  id uuid primary key,
  login text not null unique check (login ~ '^[a-z0-9][a-z0-9._@-]{1,59}$'),
  password_hash text not null,         -- argon2id
  role text not null check (role in ('agent', 'merchant', 'provider')),
  supervises boolean not null default false,
  name text not null,                  -- the person, for colleagues
  persona text not null default '',    -- what shoppers see; empty: the name
  provider_id uuid,                    -- null: the shop's own people
  created_at timestamptz not null default clock_timestamp(),
  disabled_at timestamptz
);
create index account_by_provider on account (provider_id) where provider_id is not null;

create table account_session (
  id uuid primary key,
  account_id uuid not null references account,
  refresh_hash bytea not null,         -- SHA-256 of the one refresh secret that counts now
  previous_hash bytea,                 -- the one before: two tabs may ask at the same moment
  refreshed_at timestamptz not null default clock_timestamp(),
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  address text not null default '',
  device text not null default ''
);
create index account_session_by_account on account_session (account_id) where revoked_at is null;

create table account_shop (
  shop_id uuid not null references shop,
  account_id uuid not null references account,
  primary key (shop_id, account_id)
);
create index account_shop_by_account on account_shop (account_id);
select wall_shop('account_shop');

create table api_key (
  shop_id uuid not null references shop,
  id uuid not null,
  name text not null,
  key_hash bytea not null unique,      -- SHA-256; the key itself is shown once
  scopes text[] not null default '{events}',
  created_at timestamptz not null default clock_timestamp(),
  used_at timestamptz,
  revoked_at timestamptz,
  primary key (shop_id, id)
);
select wall_shop('api_key');

create table media (
  shop_id uuid not null references shop,
  id uuid not null,
  owner_id uuid not null,              -- who uploaded it: a shopper or an account
  kind text not null check (kind in ('image', 'video')),
  mime text not null,
  bytes bigint not null check (bytes > 0),
  width int not null,
  height int not null,
  duration_ms int,
  name text not null default '',
  digest bytea not null,               -- SHA-256 of what is stored
  created_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id)
);
create index media_by_owner on media (shop_id, owner_id, created_at);
select wall_shop('media');

-- Whether an upload stands in a line that somebody may see.
create index entry_by_media on entry (shop_id, (body->>'media')) where body ? 'media';
