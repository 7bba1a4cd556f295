-- After-sale cases: what a shopper asked for about an order, and every step since.

create table aftersale (
  shop_id uuid not null references shop,
  id uuid not null,
  thread_id uuid not null,
  shopper_id uuid not null,
  order_id text not null,
  wants text not null,                 -- in the form's own words
  reason text not null default '',
  words text not null default '',
  media jsonb not null default '[]',   -- ids of pictures and videos that stand in the thread as lines
  state text not null default 'open'
    check (state in ('open', 'approved', 'refused', 'received', 'done', 'withdrawn')),
  note text not null default '',       -- what the shop said with the last step
  opened_at timestamptz not null default clock_timestamp(),
  changed_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id)
);
create unique index aftersale_one_open on aftersale (shop_id, order_id) where state in ('open', 'approved', 'received');
create index aftersale_by_shopper on aftersale (shop_id, shopper_id, opened_at);
create index aftersale_by_state on aftersale (shop_id, state, changed_at);
select wall_shop('aftersale');

create table aftersale_step (
  shop_id uuid not null,
  case_id uuid not null,
  at timestamptz not null default clock_timestamp(),
  state text not null,
  note text not null default '',
  by_role text not null,
  by_id uuid not null,
  foreign key (shop_id, case_id) references aftersale
);
create index aftersale_step_by_case on aftersale_step (shop_id, case_id, at);
select wall_shop('aftersale_step');
revoke update, delete on aftersale_step from wangxin_web;
