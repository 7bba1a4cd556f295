-- Menus that go live at a set moment, and back again at another.

create table menu_plan (
  shop_id uuid not null references shop,
  id uuid not null,
  at timestamptz not null,
  until timestamptz check (until > at),  -- then what was live before is live again
  document jsonb not null,               -- {greeting, items}, frozen when it was planned
  note text not null default '',
  made_by uuid not null,
  made_at timestamptz not null default clock_timestamp(),
  state text not null default 'waiting' check (state in ('waiting', 'live', 'done', 'cancelled', 'failed')),
  version int,                           -- what it became
  before int,                            -- what was live before it
  reason text not null default '',       -- why it failed, or why nothing was put back
  primary key (shop_id, id)
);
create index menu_plan_due on menu_plan (at) where state = 'waiting';
create index menu_plan_over on menu_plan (until) where state = 'live';
select wall_shop('menu_plan');
