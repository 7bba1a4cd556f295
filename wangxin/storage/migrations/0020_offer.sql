-- Offers that are open, so that an agent who opens the console again sees them again. Written by the dispatcher alone;
-- they live as long as it remembers them.

create table offer (
  shop_id uuid not null references shop,
  conversation_id uuid not null,
  agent_id uuid not null,
  frame jsonb not null,                  -- as the agent was told it
  expires_at timestamptz not null,
  primary key (shop_id, conversation_id)
);
create index offer_by_agent on offer (agent_id);
select wall_shop('offer');
revoke insert, update, delete on offer from wangxin_web;
