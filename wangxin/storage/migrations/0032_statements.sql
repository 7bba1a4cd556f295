-- Statements as they were issued, what a provider disputes of them, and what both signed. Money is in fen.

create table statement (
  shop_id uuid not null,
  id uuid not null,
  contract_id uuid not null,
  version int not null,
  provider_id uuid not null,
  day date not null,
  cycle_first date not null,
  lines jsonb not null,                -- [{kind, label, quantity, unit_fen, amount_fen, evidence, of_day, of_kind}]
  nets jsonb not null default '{}',    -- net paid of each credited order as settled, for corrections
  fee_fen bigint not null,             -- what the day brings, before promises, caps and corrections
  total_fen bigint not null,           -- of the lines; conceded disputes come on top
  issued_at timestamptz not null default clock_timestamp(),
  due_at timestamptz not null,         -- unless disputed by then, it counts as signed
  signed_at timestamptz,
  signed_by uuid,                      -- null: by the deadline
  primary key (shop_id, id),
  unique (shop_id, contract_id, day)
);
create index statement_by_provider on statement (provider_id, day desc);
create index statement_unsigned on statement (due_at) where signed_at is null;
select wall_shop('statement');
revoke insert, update, delete on statement from wangxin_web;
grant update (due_at) on statement to wangxin_web;

-- One dispute a line: what the provider says it should be, and what the merchant answered.
create table statement_dispute (
  shop_id uuid not null,
  statement_id uuid not null,
  line int not null,
  reason text not null,
  claimed_fen bigint not null,
  raised_at timestamptz not null default clock_timestamp(),
  raised_by uuid not null,
  agreed_fen bigint,                   -- what the line comes to after the answer; null: unanswered
  note text not null default '',
  answered_at timestamptz,
  answered_by uuid,
  primary key (shop_id, statement_id, line),
  foreign key (shop_id, statement_id) references statement (shop_id, id)
);
select wall_shop('statement_dispute');
revoke insert, delete on statement_dispute from wangxin_web;

create function statement_never_changes() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.signed_at is not null
     or (to_jsonb(new) - array['due_at', 'signed_at', 'signed_by'])
        <> (to_jsonb(old) - array['due_at', 'signed_at', 'signed_by']) then
    raise exception 'a statement never changes; it is signed, or corrected in the next cycle';
  end if;
  return new;
end $$;
create trigger statement_never_changes before update or delete on statement
  for each row execute function statement_never_changes();

create function dispute_before_signing() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or exists (select from statement s where s.shop_id = new.shop_id and s.id = new.statement_id
                                 and s.signed_at is not null) then
    raise exception 'a signed statement is frozen';
  end if;
  return new;
end $$;
create trigger dispute_before_signing before insert or update or delete on statement_dispute
  for each row execute function dispute_before_signing();

-- How long each seat of some pools was ready or busy within a span, and by how many shops that pool's time is shared.
-- Only for pools that the shop has a contract for; a merchant sees minutes, never what a provider does elsewhere.
create function online_of(p_shop uuid, p_pools uuid[], p_from timestamptz, p_to timestamptz)
returns table (agent_id uuid, ms bigint, shops int) language sql stable security definer set search_path = public as $$
  with mine as (
    select distinct a.agent_id from pool_agent a
    where a.pool_id = any(p_pools)
      and exists (select from contract c where c.shop_id = p_shop and a.pool_id = any(c.pool_ids))),
  sharing as (
    select count(distinct c.shop_id)::int as n from agreed_contract c
    where c.pool_ids && p_pools and c.starts_at < p_to and (c.ends_at is null or c.ends_at > p_from))
  select t.agent_id,
    (sum(extract(epoch from least(coalesce(t.to_at, p_to), p_to) - greatest(t.from_at, p_from))) * 1000)::bigint,
    greatest(1, (select n from sharing))
  from seat_time t join mine m on m.agent_id = t.agent_id
  where t.state in ('ready', 'busy') and t.from_at < p_to and (t.to_at is null or t.to_at > p_from)
  group by 1
$$;
