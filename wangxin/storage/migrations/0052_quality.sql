-- Quality checks: the shop's sheet, which conversations were drawn, how each was graded, and what was said against it.

-- Sheets never change: another one is the next version, and a grade names the one that it was given by.
create table quality_sheet (
  shop_id uuid not null references shop,
  version int not null check (version >= 1),
  body jsonb not null,                 -- metrics/quality/model.py: Sheet
  created_at timestamptz not null default clock_timestamp(),
  created_by uuid not null,
  primary key (shop_id, version)
);
select wall_shop('quality_sheet');
revoke update, delete on quality_sheet from wangxin_web;

create table quality_sample (
  shop_id uuid not null references shop,
  id uuid not null,
  week date not null,                  -- its Monday
  conversation_id uuid not null,
  thread_id uuid not null,
  day date not null,                   -- of the conversation
  agent_id uuid not null,
  pool_id uuid,
  provider_id uuid,                    -- null: the shop's own people
  stratum text not null check (stratum in ('random', 'low_rating', 'reclaimed', 'disputed')),
  double boolean not null,             -- two people grade it, neither knows of the other
  drawn_at timestamptz not null default clock_timestamp(),
  -- what the grades and the last word come to; written with each of them
  state text not null default 'waiting' check (state in ('waiting', 'graded', 'split', 'decided')),
  score smallint,
  passed boolean,
  graded_at timestamptz,               -- of the first grade: the day on which it counts
  primary key (shop_id, id),
  unique (shop_id, conversation_id)
);
create index quality_sample_by_week on quality_sample (shop_id, week, agent_id);
create index quality_sample_by_grade on quality_sample (shop_id, graded_at);
create index quality_sample_by_agent on quality_sample (agent_id, graded_at desc) where graded_at is not null;
create index quality_sample_by_provider on quality_sample (provider_id, graded_at desc) where graded_at is not null;
select wall_shop('quality_sample');
revoke delete on quality_sample from wangxin_web;

create table quality_grade (
  shop_id uuid not null,
  sample_id uuid not null,
  grader_id uuid not null,
  version int not null,                -- of the sheet
  marks jsonb not null,                -- {item: full | half | none | na}
  fatal text[] not null,               -- the fatal items that happened
  score smallint not null,
  passed boolean not null,
  note text not null default '',
  graded_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, sample_id, grader_id),
  foreign key (shop_id, sample_id) references quality_sample (shop_id, id),
  foreign key (shop_id, version) references quality_sheet (shop_id, version)
);
select wall_shop('quality_grade');
revoke update, delete on quality_grade from wangxin_web;

-- One appeal a sample, by the agent or his provider; the shop has the last word, also where two grades differ.
create table quality_appeal (
  shop_id uuid not null,
  sample_id uuid not null,
  by_role text not null,
  by_id uuid not null,
  reason text not null,
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, sample_id),
  foreign key (shop_id, sample_id) references quality_sample (shop_id, id)
);
select wall_shop('quality_appeal');
revoke update, delete on quality_appeal from wangxin_web;

create table quality_decision (
  shop_id uuid not null,
  sample_id uuid not null,
  score smallint not null,
  passed boolean not null,
  note text not null,
  by_id uuid not null,
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, sample_id),
  foreign key (shop_id, sample_id) references quality_sample (shop_id, id)
);
select wall_shop('quality_decision');
revoke update, delete on quality_decision from wangxin_web;
