-- Days that are over, summed once. A report of any length reads these rows, and live only the days that moved since.
-- The sums that a day needs take more columns than were thought of at first; nothing was ever written to these two.
drop table day_figure;
drop table day_bucket;

-- What a shop's clock was at any time: days and hours of the past stay where they were when the zone changes.
create table shop_clock (
  shop_id uuid not null,
  from_at timestamptz not null,
  until_at timestamptz not null default 'infinity',
  tz text not null,
  hours jsonb,
  primary key (shop_id, from_at)
);
select wall_shop('shop_clock');
insert into shop_clock (shop_id, from_at, tz, hours) select shop_id, 'epoch', tz, settings -> 'hours' from shop;

create function shop_clock_follows() returns trigger language plpgsql security definer set search_path = public as $$
declare
  at timestamptz := case when tg_op = 'INSERT' then timestamptz 'epoch' else clock_timestamp() end;
begin
  update shop_clock set until_at = at where shop_id = new.shop_id and until_at = 'infinity';
  insert into shop_clock (shop_id, from_at, tz, hours) values (new.shop_id, at, new.tz, new.settings -> 'hours');
  return null;
end $$;
create trigger shop_clock_begins after insert on shop for each row execute function shop_clock_follows();
create trigger shop_clock_changes after update on shop for each row
  when (old.tz is distinct from new.tz or old.settings -> 'hours' is distinct from new.settings -> 'hours')
  execute function shop_clock_follows();

-- Small numbers for shoppers, so that the people of a day pack into six bytes each and years of them can be counted.
create table person_number (
  shop_id uuid not null,
  shopper_id uuid not null,
  number int not null,
  primary key (shop_id, shopper_id),
  unique (shop_id, number)
);
select wall_shop('person_number');

-- One row for each group of a day. grain: by what the day is cut (beside the pool); key: which one ('' is none).
create table day_rollup (
  shop_id uuid not null,
  grain text not null check (grain in ('pool', 'agent', 'topic', 'hour')),
  day date not null,
  key text not null,
  pool_id uuid not null,               -- nil: none
  turns int not null default 0,
  wait_ms bigint not null default 0,
  first_wait_ms bigint not null default 0,
  business_ms bigint not null default 0,
  asked_3min int not null default 0,
  in_3min int not null default 0,
  first_turns int not null default 0,
  conversations int not null default 0,
  handed_off int not null default 0,
  served int not null default 0,
  lost int not null default 0,
  kept int not null default 0,
  short int not null default 0,
  left_message int not null default 0,
  ratings int not null default 0,
  stars int not null default 0,
  satisfied int not null default 0,
  waits bytea not null default '',     -- 1 % buckets of all answered turns: (bucket, n) as two int4, little endian
  firsts bytea not null default '',    -- the same of first turns
  answered_s bytea not null default '', -- first turns by whole seconds until the answer (rounded up; 3601: longer)
  lost_s bytea not null default '',    -- first turns that ended unanswered, by whole seconds
  people bytea not null default '',    -- (person_number int4, what is known of him as bits int2)
  primary key (shop_id, grain, day, key, pool_id)
);
alter table day_rollup alter column people set storage external;
select wall_shop('day_rollup');

create table day_money (
  shop_id uuid not null,
  grain text not null,
  rule text not null,
  day date not null,
  key text not null,
  pool_id uuid not null,
  kind text not null,
  orders int not null,
  fen bigint not null,
  primary key (shop_id, grain, rule, day, key, pool_id, kind)
);
select wall_shop('day_money');

-- A day that is over and moved again. Rows are only added (nobody waits for anybody) and go when the day is summed anew.
create table day_stale (
  shop_id uuid not null,
  day date not null,
  at timestamptz not null default clock_timestamp()
);
create index day_stale_by_day on day_stale (shop_id, day);
select wall_shop('day_stale');

-- Marks are written whether or not the day is sealed: whoever seals may not see this transaction yet, and we not his.
create function day_moved() returns trigger language plpgsql as $$
begin
  insert into day_stale (shop_id, day)
  select distinct m.shop_id, m.day from moved m join shop s on s.shop_id = m.shop_id
  where m.day < (clock_timestamp() at time zone s.tz)::date;
  return null;
end $$;
create trigger turn_new after insert on turn referencing new table as moved
  for each statement execute function day_moved();
create trigger turn_was after update on turn referencing old table as moved
  for each statement execute function day_moved();
create trigger turn_is after update on turn referencing new table as moved
  for each statement execute function day_moved();
create trigger tally_new after insert on tally referencing new table as moved
  for each statement execute function day_moved();
create trigger tally_was after update on tally referencing old table as moved
  for each statement execute function day_moved();
create trigger tally_is after update on tally referencing new table as moved
  for each statement execute function day_moved();

-- An order counts on the day of its payment, and in the conversion of the day whose words it follows.
create function credit_moved() returns trigger language plpgsql as $$
begin
  insert into day_stale (shop_id, day)
  select d.shop_id, d.day from (
    select m.shop_id, m.day from moved m
    union select t.shop_id, t.day from moved m
      join tally t on t.shop_id = m.shop_id and t.conversation_id = m.conversation_id) d
  join shop s on s.shop_id = d.shop_id where d.day < (clock_timestamp() at time zone s.tz)::date;
  return null;
end $$;
create trigger credit_new after insert on order_credit referencing new table as moved
  for each statement execute function credit_moved();
create trigger credit_was after update on order_credit referencing old table as moved
  for each statement execute function credit_moved();
create trigger credit_is after update on order_credit referencing new table as moved
  for each statement execute function credit_moved();
create trigger credit_gone after delete on order_credit referencing old table as moved
  for each statement execute function credit_moved();

-- What somebody bought decides whether his conversations were enquiries: those after it, and those just before it.
create function order_moved() returns trigger language plpgsql as $$
begin
  insert into day_stale (shop_id, day)
  select distinct t.shop_id, t.day
  from shopper p
  join tally t on t.shop_id = p.shop_id and t.shopper_id = p.id
  join shop s on s.shop_id = t.shop_id
  where p.shop_id = new.shop_id and (p.id = new.shopper_id or p.merged_into = new.shopper_id)
    and (t.opened_at between new.paid_at and new.paid_at + interval '22 days'
      or t.opened_at between new.created_at - interval '3 days' and new.created_at)
    and t.day < (clock_timestamp() at time zone s.tz)::date;
  return null;
end $$;
create trigger shop_order_new after insert on shop_order for each row when (new.shopper_id is not null)
  execute function order_moved();
create trigger shop_order_moves after update on shop_order for each row
  when (old.shopper_id is distinct from new.shopper_id or old.paid_at is distinct from new.paid_at
    or old.created_at is distinct from new.created_at)
  execute function order_moved();

create function person_moved() returns trigger language plpgsql as $$
begin
  insert into day_stale (shop_id, day)
  select distinct t.shop_id, t.day from tally t join shop s on s.shop_id = t.shop_id
  where t.shop_id = new.shop_id and t.shopper_id in (new.id, new.merged_into)
    and t.day < (clock_timestamp() at time zone s.tz)::date;
  return null;
end $$;
create trigger shopper_is_another after update on shopper for each row
  when (old.merged_into is distinct from new.merged_into) execute function person_moved();

create function topic_moved() returns trigger language plpgsql as $$
begin
  insert into day_stale (shop_id, day)
  select t.shop_id, t.day from tally t join shop s on s.shop_id = t.shop_id
  where t.shop_id = new.shop_id and t.conversation_id = new.id and t.day < (clock_timestamp() at time zone s.tz)::date;
  return null;
end $$;
create trigger conversation_is_about_else after update on conversation for each row
  when (old.topic is distinct from new.topic) execute function topic_moved();

-- Whatever was seen before this migration has no marks.
delete from day_seal;
