-- Who runs the lines, as the merchant writes it down: providers of his own, what he thinks of each, and more about pools
-- and seats.

-- A provider that a shop wrote down itself is known to that shop alone; without a shop it offers itself to everybody.
alter table provider add column shop_id uuid references shop;

-- A shop's own view of a provider: whom to call, and whether it is on probation or suspended there.
create table provider_standing (
  shop_id uuid not null references shop,
  provider_id uuid not null references provider,
  state text not null default 'active' check (state in ('active', 'probation', 'suspended')),
  contacts jsonb not null default '[]',  -- dispatcher/administration.py: Contact
  note text not null default '',
  changed_at timestamptz not null default clock_timestamp(),
  changed_by uuid not null,
  primary key (shop_id, provider_id)
);
select wall_shop('provider_standing');
revoke insert, update, delete on provider_standing from wangxin_web;

alter table pool
  add column skills text[] not null default '{}',      -- of conversations that need a skill: only these; empty: all
  add column languages text[] not null default '{}',
  add column share_weight int not null default 0 check (share_weight between 0 and 1000),
  add column seats_default smallint not null default 5 check (seats_default between 1 and 50),
  add constraint pool_waiting_bound check (waiting_max <= 5000);

-- Skills have a level from 1 to 5; skills (their names) stays for whoever only lists them.
alter table seat
  add column skill_levels jsonb not null default '{}',
  add column languages text[] not null default '{}',
  add column protected boolean not null default false;  -- never ranked by speed alone
update seat set skill_levels = (select coalesce(jsonb_object_agg(skill, 1), '{}') from unnest(skills) skill);

-- Why a contract is paused: by a merchant, or because it fell below the floor of quality it promises.
alter table contract_switch add column reason text not null default '';

-- A provider that a shop wrote down, and its pools, are seen by that shop before there is a contract, and by no other.
drop policy contract_wall on provider;
create policy contract_wall on provider to wangxin_web
  using (shop_id is null or shop_id = any(wall_shops())) with check (false);
create policy written_wall on pool for select to wangxin_web using (
  exists (select 1 from provider v where v.provider_id = pool.provider_id and v.shop_id = any(wall_shops())));
