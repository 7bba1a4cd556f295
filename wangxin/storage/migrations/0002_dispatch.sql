-- Who serves whom, under which terms, and why: providers, pools, seats, contracts, policies, assignments, the lease.
-- What belongs to one shop leads with shop_id; what belongs to a provider with provider_id; pools and seats, which belong
-- to either, with owner_id (the shop or the provider).

create table provider (
  provider_id uuid primary key,
  name text not null,
  stars_tenths smallint not null default 40 check (stars_tenths between 30 and 60),
  state text not null default 'active' check (state in ('active', 'probation', 'suspended')),
  created_at timestamptz not null default clock_timestamp()
);

create table pool (
  owner_id uuid not null,
  id uuid not null unique,
  kind text not null check (kind in ('in_house', 'outsourced')),
  provider_id uuid references provider,  -- null: in-house, and the owner is a shop
  name text not null,
  state text not null default 'open' check (state in ('open', 'draining', 'closed')),
  hours jsonb,                           -- null: always open
  waiting_max int check (waiting_max >= 0),
  convert_per_mille int not null default 0 check (convert_per_mille between 0 and 1000),
  handle_ms int not null default 300000 check (handle_ms > 0),
  created_at timestamptz not null default clock_timestamp(),
  primary key (owner_id, id),
  check ((kind = 'in_house') = (provider_id is null)),
  check (provider_id is null or provider_id = owner_id)
);

create table seat (
  owner_id uuid not null,
  agent_id uuid not null unique,         -- the account
  provider_id uuid references provider,
  name text not null,                    -- what shoppers may know
  seats_max smallint not null default 5 check (seats_max between 1 and 50),
  ability_per_mille int not null default 1000 check (ability_per_mille between 100 and 3000),
  skills text[] not null default '{}',
  daily_max int check (daily_max >= 0),
  curve_per_hour int[] not null default '{}',
  retired_at timestamptz,
  -- how it stands now, written by the dispatcher (state) and by the hubs (connected)
  state text not null default 'offline'
    check (state in ('ready', 'busy', 'hold', 'break', 'training', 'draining', 'offline')),
  state_reason text not null default '',
  state_since timestamptz not null default clock_timestamp(),
  before_loss text,                      -- the state to return to when a lost line comes back
  connected boolean not null default false,
  connected_at timestamptz,              -- when connected last changed
  primary key (owner_id, agent_id),
  check (provider_id is null or provider_id = owner_id)
);

create table pool_agent (
  owner_id uuid not null,
  pool_id uuid not null,
  agent_id uuid not null,
  rank smallint not null default 1,      -- his favourite pool first
  primary key (owner_id, pool_id, agent_id),
  foreign key (owner_id, pool_id) references pool (owner_id, id),
  foreign key (owner_id, agent_id) references seat (owner_id, agent_id)
);
create index pool_agent_by_agent on pool_agent (agent_id);

-- Which hubs hold a line of which agent. A hub that falls silent is taken as gone with its lines.
create table seat_line (
  agent_id uuid not null,
  node text not null,
  primary key (agent_id, node)
);
create table hub_node (
  node text primary key,
  seen_at timestamptz not null default clock_timestamp()
);

-- How long a seat was in which state: one row a stretch, the open one has no end.
create table seat_time (
  owner_id uuid not null,
  agent_id uuid not null,
  from_at timestamptz not null,
  state text not null,
  reason text not null default '',
  to_at timestamptz,
  primary key (owner_id, agent_id, from_at)
);
create unique index seat_time_open on seat_time (agent_id) where to_at is null;

-- Contract versions never change: new terms are a new version, and every assignment names the one it was made under.
create table contract (
  shop_id uuid not null references shop,
  id uuid not null,
  version int not null check (version >= 1),
  provider_id uuid not null references provider,
  pool_ids uuid[] not null check (cardinality(pool_ids) >= 1),
  starts_at timestamptz not null,
  ends_at timestamptz,
  terms jsonb not null,                  -- dispatcher/contracts.py: Terms
  created_at timestamptz not null default clock_timestamp(),
  created_by uuid not null,
  primary key (shop_id, id, version),
  check (ends_at is null or ends_at > starts_at)
);
create index contract_by_provider on contract (provider_id, shop_id);
select wall_shop('contract');
revoke update, delete on contract from wangxin_web;

create function contract_never_changes() returns trigger language plpgsql as $$
begin
  raise exception 'a contract version never changes; write a new version';
end $$;
create trigger contract_never_changes before update or delete on contract
  for each row execute function contract_never_changes();

-- Whether a contract is paused: the one thing a merchant may switch at once, beside the terms.
create table contract_switch (
  shop_id uuid not null,
  contract_id uuid not null,
  paused boolean not null,
  at timestamptz not null default clock_timestamp(),
  by uuid not null,
  primary key (shop_id, contract_id)
);
select wall_shop('contract_switch');

create table routing_policy (
  shop_id uuid not null references shop,
  version int not null check (version >= 1),
  policy jsonb not null,                 -- dispatcher/model.py: Policy
  created_at timestamptz not null default clock_timestamp(),
  created_by uuid not null,
  primary key (shop_id, version)
);
select wall_shop('routing_policy');
revoke update, delete on routing_policy from wangxin_web;

create table assignment (
  shop_id uuid not null,
  conversation_id uuid not null,
  epoch int not null,
  thread_id uuid not null,
  shopper_id uuid not null,
  agent_id uuid not null,
  pool_id uuid not null,
  provider_id uuid,
  contract_id uuid,
  contract_version int not null default 0,
  policy_version int not null default 0,
  stage smallint not null,
  reason text not null,                  -- ring, sticky, overflow:…, transfer, claim, resume, message_box, takeover
  level smallint not null,               -- how many he had when he got it
  waited_ms bigint not null,
  predicted_ms bigint not null,
  explanation jsonb not null,            -- candidates and pools that were looked at, with scores
  assigned_at timestamptz not null default clock_timestamp(),
  released_at timestamptz,
  release_reason text,                   -- closed, silent, disconnected, transferred, parked, …
  primary key (shop_id, conversation_id, epoch)
);
create index assignment_live on assignment (agent_id) where released_at is null;
create index assignment_by_time on assignment (shop_id, assigned_at);
create index assignment_by_shopper on assignment (shop_id, shopper_id, assigned_at desc);
create index assignment_by_agent on assignment (agent_id, assigned_at desc);
select wall_shop('assignment');
revoke insert, update, delete on assignment from wangxin_web;

-- Pools and seats are seen by their owner, and by a shop that has a contract for them.
alter table pool enable row level security;
create policy owner_wall on pool to wangxin_web using (
  owner_id = any(wall_shops())
  or exists (select 1 from contract c where c.shop_id = any(wall_shops()) and pool.id = any(c.pool_ids)))
  with check (owner_id = any(wall_shops()));
grant select, insert, update on pool to wangxin_web;
alter table pool_agent enable row level security;
create policy owner_wall on pool_agent to wangxin_web using (
  owner_id = any(wall_shops())
  or exists (select 1 from contract c where c.shop_id = any(wall_shops()) and pool_id = any(c.pool_ids)))
  with check (owner_id = any(wall_shops()));
grant select, insert, update, delete on pool_agent to wangxin_web;
alter table seat enable row level security;
create policy owner_wall on seat to wangxin_web using (
  owner_id = any(wall_shops())
  or exists (select 1 from pool_agent a join contract c on a.pool_id = any(c.pool_ids)
              where a.agent_id = seat.agent_id and c.shop_id = any(wall_shops())))
  with check (owner_id = any(wall_shops()));
grant select, insert, update on seat to wangxin_web;
alter table provider enable row level security;
create policy contract_wall on provider to wangxin_web using (true) with check (false);
grant select on provider to wangxin_web;

-- One writer a shard: the holder of the lease. Every commit names the epoch and is refused when it is an old one.
create table dispatch_lease (
  shard text primary key,
  epoch bigint not null,
  holder text not null,
  until_at timestamptz not null
);

-- What the writer was told and decided, in order, for replay.
create table dispatch_journal (
  shard text not null,
  epoch bigint not null,
  seq bigint not null,
  at_ms bigint not null,
  event jsonb not null,
  decisions jsonb not null,
  primary key (shard, epoch, seq)
);
