-- Who of a provider works when, and whom he keeps for one shop.

-- One row a person and day: spans of minutes since that day's midnight, [from, to] each; past midnight ``to`` is above
-- 1440. Agents see what is published; the draft is what the provider writes at.
create table roster_day (
  provider_id uuid not null references provider,
  agent_id uuid not null,
  day date not null,
  draft jsonb not null default '[]',
  published jsonb not null default '[]',
  primary key (provider_id, agent_id, day)
);
create index roster_day_by_agent on roster_day (agent_id, day);

-- The people a provider keeps for one shop, by a name of his own.
create table project_group (
  shop_id uuid not null references shop,
  provider_id uuid not null references provider,
  name text not null,
  agents uuid[] not null,
  primary key (shop_id, provider_id)
);
select wall_shop('project_group');
revoke insert, update, delete on project_group from wangxin_web;
