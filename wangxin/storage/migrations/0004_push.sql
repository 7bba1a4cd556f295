-- Targeted push: members as conditions see them, rules, runs, the ledger of deliveries, benefits, consent, shop events.

create table profile (
  shop_id uuid not null,
  shopper_id uuid not null,
  level smallint,
  points int,
  balance_cents bigint,
  orders_n int,
  spent_cents bigint,
  avg_order_cents bigint generated always as (case when orders_n > 0 then spent_cents / orders_n end) stored,
  tags text[] collate "C" not null default '{}',
  city text collate "C",
  province text collate "C",
  tz text collate "C",
  lang text collate "C",
  source text collate "C",
  is_member boolean not null default true,
  blocked boolean not null default false,
  birth_md smallint,                   -- MMDD; 229 is 29 February
  lunar_md smallint,                   -- MMDD in the lunar calendar, + 2000 for a leap month
  birth_changed_at timestamptz,
  member_md smallint,
  first_order_md smallint,
  member_since timestamptz,
  first_order_at timestamptz,
  last_order_at timestamptz,
  last_chat_at timestamptz,
  last_seen_at timestamptz,
  last_complaint_at timestamptz,
  refused text[] not null default '{}',          -- topics this person does not want; '*' is all of them
  personalised boolean not null default true,    -- false: only pushes that speak to everyone
  attrs jsonb not null default '{}',
  changed_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, shopper_id)
) with (fillfactor = 85);
create index profile_by_tags on profile using gin (tags);
create index profile_by_last_order on profile (shop_id, last_order_at);
create index profile_by_level on profile (shop_id, level);
create index profile_by_birth on profile (shop_id, birth_md);
create index profile_by_lunar on profile (shop_id, lunar_md) where lunar_md is not null;
select wall_shop('profile');

-- What happened on one calendar day of the shop; amount is fen, milliseconds or stars x 100 by kind.
create table shopper_day (
  shop_id uuid not null,
  shopper_id uuid not null,
  kind text collate "C" not null,
  day date not null,
  n int not null,
  amount bigint not null default 0,
  primary key (shop_id, shopper_id, kind, day)
) with (fillfactor = 90);
create index shopper_day_by_kind on shopper_day (shop_id, kind, day) include (shopper_id, n, amount);
select wall_shop('shopper_day');

create table push_crowd (
  shop_id uuid not null,
  id uuid not null,
  name text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id)
);
select wall_shop('push_crowd');

create table push_crowd_member (
  shop_id uuid not null,
  crowd_id uuid not null,
  shopper_id uuid not null,
  primary key (shop_id, crowd_id, shopper_id)
);
create index push_crowd_of on push_crowd_member (shop_id, shopper_id);
select wall_shop('push_crowd_member');

-- One row a shop: what holds for all its rules.
create table push_policy (
  shop_id uuid primary key,
  holdout_permille int not null default 0 check (holdout_permille between 0 and 100),
  holdout_salt text not null default 'global-1',
  approve_above int not null default 10000,      -- more recipients than this need a second person
  events_key_hash text                           -- sha256 of the key with which the shop sends its events
);
select wall_shop('push_policy');

create table push_rule (
  shop_id uuid not null,
  id uuid not null,
  version int not null,
  status text not null check (status in ('draft', 'in_review', 'approved', 'running', 'paused', 'ended')),
  body jsonb not null,
  content_hash text not null,
  trigger_kind text not null,
  event_type text,
  planned_until timestamptz,           -- occurrences up to here lie in push_due
  created_by uuid,
  changed_by uuid,
  approved_by uuid,
  approved_hash text,
  created_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id)
);
create index push_rule_by_event on push_rule (shop_id, event_type) where status = 'running' and trigger_kind = 'event';
create index push_rule_to_plan on push_rule (planned_until) where status = 'running' and trigger_kind <> 'event';
select wall_shop('push_rule');

create table push_rule_version (
  shop_id uuid not null,
  rule_id uuid not null,
  version int not null,
  body jsonb not null,
  content_hash text not null,
  made_by uuid,
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, rule_id, version)
);
select wall_shop('push_rule_version');

-- One row an occurrence: its unique key is the lock between tickers.
create table push_due (
  shop_id uuid not null,
  rule_id uuid not null,
  occurrence text not null,            -- the local time as text
  due_at timestamptz not null,
  state text not null default 'open' check (state in ('open', 'started', 'skipped')),
  reason text,
  primary key (shop_id, rule_id, occurrence)
);
create index push_due_open on push_due (due_at) where state = 'open';
select wall_shop('push_due');

create table push_run (
  shop_id uuid not null,
  id uuid not null,
  rule_id uuid not null,
  rule_version int not null,
  occurrence text not null,
  as_of timestamptz not null,
  state text not null check (state in ('running', 'paused', 'finished', 'cancelled')),
  kind text not null check (kind in ('crowd', 'event', 'test')),
  audience_n int not null default 0,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  primary key (shop_id, id),
  unique (shop_id, rule_id, occurrence)
);
create index push_run_open on push_run (shop_id, id) where state in ('running', 'paused');
select wall_shop('push_run');

create table push_chunk (
  shop_id uuid not null,
  run_id uuid not null,
  no bigint not null,
  priority smallint not null,
  due_at timestamptz not null,
  done_at timestamptz,
  attempts smallint not null default 0,
  failure text,
  primary key (shop_id, run_id, no)
);
create index push_chunk_due on push_chunk (priority desc, due_at) where done_at is null;
select wall_shop('push_chunk');

-- The frozen audience: a preview's count and a run's count come from the same statement.
create table push_recipient (
  shop_id uuid not null,
  run_id uuid not null,
  chunk_no bigint not null,
  shopper_id uuid not null,
  step smallint not null,
  run_key text not null,
  due_at timestamptz not null,         -- when it was first due, before any holding
  event jsonb,                         -- fields of the event that set it off
  primary key (shop_id, run_id, chunk_no, shopper_id, step, run_key)
);
create index push_recipient_of_event on push_recipient (shop_id, shopper_id) where event is not null;
select wall_shop('push_recipient');

-- The ledger: what became of every recipient, once. Its key is what makes a second delivery impossible.
create table push_delivery (
  shop_id uuid not null,
  rule_id uuid not null,
  run_key text not null,
  step smallint not null,
  shopper_id uuid not null,
  run_id uuid not null,
  variant smallint not null,
  state text not null check (state in ('sent', 'held_out', 'capped', 'no_consent', 'quiet_dropped', 'not_matching',
                                       'no_stock', 'render_error', 'cancelled', 'open_conversation')),
  reason text not null default '',
  thread_id uuid,
  msg_id uuid,                         -- client_msg_id of its first line
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, rule_id, run_key, step, shopper_id)
);
create index push_delivery_by_run on push_delivery (shop_id, run_id);
create index push_delivery_by_shopper on push_delivery (shop_id, shopper_id, at);
select wall_shop('push_delivery');

-- The newest pushes of a shopper by whichever rule: the caps of all rules are decided under this row's lock.
create table push_contact (
  shop_id uuid not null,
  shopper_id uuid not null,
  at_ms bigint[] not null default '{}',
  rules uuid[] not null default '{}',
  primary key (shop_id, shopper_id)
) with (fillfactor = 60);
select wall_shop('push_contact');

create table benefit_stock (
  shop_id uuid not null,
  rule_id uuid not null,
  step smallint not null,
  remaining int check (remaining >= 0),          -- null: no bound
  granted int not null default 0,
  primary key (shop_id, rule_id, step)
);
select wall_shop('benefit_stock');

create table benefit_grant (
  shop_id uuid not null,
  rule_id uuid not null,
  run_key text not null,
  step smallint not null,
  shopper_id uuid not null,
  id uuid not null,
  kind text not null check (kind in ('coupon', 'points', 'red_packet')),
  amount bigint not null,              -- points, or fen
  title text not null default '',
  state text not null default 'granted' check (state in ('granted', 'claimed', 'redeemed', 'withdrawn', 'expired')),
  expires_at timestamptz,
  at timestamptz not null default clock_timestamp(),
  changed_at timestamptz,
  primary key (shop_id, rule_id, run_key, step, shopper_id),
  unique (shop_id, id)
);
create index benefit_grant_of on benefit_grant (shop_id, shopper_id);
select wall_shop('benefit_grant');

create table points_ledger (
  shop_id uuid not null,
  shopper_id uuid not null,
  ref text not null,                   -- what gave or took them; the same ref never counts twice
  delta int not null,
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, shopper_id, ref)
);
select wall_shop('points_ledger');

create table consent_log (
  shop_id uuid not null,
  id uuid not null,
  shopper_id uuid not null,
  topic text not null,
  granted boolean not null,
  personalised boolean not null default true,
  source text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id)
);
select wall_shop('consent_log');
revoke update, delete on consent_log from wangxin_web;

create table shop_event (
  shop_id uuid not null,
  source text not null,
  id text not null,
  type text not null,
  subject text,
  shopper_id uuid,
  at timestamptz not null,
  data jsonb not null default '{}',
  received_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, source, id)
);
create index shop_event_of on shop_event (shop_id, shopper_id, type, at) where shopper_id is not null;
create index shop_event_by_time on shop_event (shop_id, received_at);
select wall_shop('shop_event');
grant insert on outbox to wangxin_web;
