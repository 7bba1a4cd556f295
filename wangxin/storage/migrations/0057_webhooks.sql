-- Where a shop's own servers want to hear what happened, and every call that was made to them.
create table webhook (
  shop_id uuid not null references shop,
  id uuid not null,
  url text not null,
  events text[] not null,
  secret text not null,                -- whsec_…: signs each call
  old_secret text,                     -- the one before, which signs beside it until then
  old_ends_at timestamptz,
  made_by uuid not null,
  made_at timestamptz not null default clock_timestamp(),
  failing_since timestamptz,           -- since when no call has succeeded
  stopped_at timestamptz,              -- by hand, or because it failed for days
  stopped_why text not null default '',
  primary key (shop_id, id)
);
select wall_shop('webhook');

create table webhook_call (
  shop_id uuid not null,
  id uuid not null,                    -- the header webhook-id: the same in every try
  webhook_id uuid not null,
  event text not null,
  body text not null,                  -- exactly what is signed and sent
  made_at timestamptz not null default clock_timestamp(),
  state text not null default 'waiting' check (state in ('waiting', 'delivered', 'failed')),
  due_at timestamptz not null default clock_timestamp(),
  tries int not null default 0,        -- since it was made, or sent again by hand
  attempts jsonb not null default '[]',  -- the last ones: at_ms, ms, status, why, answer
  primary key (shop_id, id),
  foreign key (shop_id, webhook_id) references webhook (shop_id, id) on delete cascade
);
create index webhook_call_due on webhook_call (due_at) where state = 'waiting';
create index webhook_call_log on webhook_call (shop_id, webhook_id, id desc);
create index webhook_call_old on webhook_call (made_at) where state <> 'waiting';
select wall_shop('webhook_call');
