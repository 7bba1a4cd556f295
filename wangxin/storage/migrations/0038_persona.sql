-- What an agent is called in one shop, where that differs from his usual persona: one desk, several shops.

create table persona (
  shop_id uuid not null references shop,
  agent_id uuid not null,
  name text not null check (length(name) between 1 and 60),
  changed_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, agent_id)
);
create index persona_by_agent on persona (agent_id);
select wall_shop('persona');
