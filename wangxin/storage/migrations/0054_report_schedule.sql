-- Reports that leave by themselves: when, how and to whom; and a line for each that was sent.
create table report_schedule (
  shop_id uuid not null references shop,
  id uuid not null,
  name text not null,
  every text not null check (every in ('day', 'week', 'month')),
  hour smallint not null check (hour between 0 and 23), -- of the shop's day
  by text not null check (by in ('mail', 'webhook')),
  addresses text[] not null default '{}',
  paused boolean not null default false,
  next_at timestamptz not null,
  created_by uuid not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id)
);
create index report_schedule_due on report_schedule (next_at) where not paused;
select wall_shop('report_schedule');

create table report_sending (
  shop_id uuid not null references shop,
  id uuid not null,
  schedule_id uuid not null,           -- it may be gone
  name text not null,
  by text not null,
  addresses text[] not null,
  first date not null,
  last date not null,
  made_at timestamptz not null default clock_timestamp(),
  state text not null default 'waiting' check (state in ('waiting', 'sent', 'failed')),
  due_at timestamptz not null default clock_timestamp(),
  tries int not null default 0,
  note text not null default '',       -- to how many, or what was in its way at the last try
  done_at timestamptz,
  primary key (shop_id, id)
);
create index report_sending_due on report_sending (due_at) where state = 'waiting';
create index report_sending_log on report_sending (shop_id, id desc);
select wall_shop('report_sending');
revoke update, delete on report_sending from wangxin_web;
