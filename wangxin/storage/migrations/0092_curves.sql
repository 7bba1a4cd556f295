-- A curve that the owner wrote down himself counts instead of the learnt one; null: the learnt one counts.
alter table seat add column curve_set int[];

-- What each agent showed at 1, 2, 3 … at once on days that are over (UTC): four weeks are then a sum of days.
create table curve_day (
  day date not null,
  agent_id uuid not null,
  level smallint not null,
  ms bigint not null,
  ended int not null,
  primary key (day, agent_id, level)
);
create table curve_summed (
  day date primary key
);
