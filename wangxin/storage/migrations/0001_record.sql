-- The record: shops, people, threads, numbered entries, conversations, orders, and the outbox between processes.
-- Every table leads with shop_id: the shop is the wall, and the key by which data may one day be spread.

do $$ begin
  create role wangxin_web nologin;
exception when duplicate_object then null;
end $$;

-- Puts a table behind the wall: under the role wangxin_web only rows of the shops named in the transaction exist.
create function wall_shop(p_table regclass) returns void language plpgsql as $$
begin
  execute format('alter table %s enable row level security', p_table);
  execute format('create policy shop_wall on %s to wangxin_web using (shop_id = any(wall_shops())) '
                 'with check (shop_id = any(wall_shops()))', p_table);
  execute format('grant select, insert, update, delete on %s to wangxin_web', p_table);
end $$;

create function wall_shops() returns uuid[] language sql stable parallel safe as $$
  select string_to_array(nullif(current_setting('wangxin.shops', true), ''), ',')::uuid[]
$$;

create table shop (
  shop_id uuid primary key,
  slug text not null unique check (slug ~ '^[a-z0-9-]{2,40}$'),
  name text not null,
  tz text not null default 'Asia/Shanghai',
  locale text not null default 'zh-CN',
  accent text,
  token_secret text not null,          -- the shop signs its shoppers' tokens with it
  allowed_origins text[] not null default '{}',
  settings jsonb not null default '{}',
  created_at timestamptz not null default clock_timestamp()
);
select wall_shop('shop');

create table shopper (
  shop_id uuid not null references shop,
  id uuid not null,
  external_id text,                    -- the shop's own name for this person; null for a guest
  name text not null,
  merged_into uuid,
  created_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id),
  unique (shop_id, external_id)
);
select wall_shop('shopper');

create table thread (
  shop_id uuid not null,
  id uuid not null,
  shopper_id uuid not null,
  public_seq bigint not null default 0,
  internal_seq bigint not null default 0,
  last_at timestamptz not null default clock_timestamp(),
  -- the conversation that is going on, kept here so that an append locks one row only
  conversation_id uuid,
  state text not null default 'closed'
    check (state in ('closed','bot','waiting','assigned','parked','wrap_up','message_box')),
  agent_id uuid,
  pool_id uuid,
  epoch int not null default 0,
  awaiting_since timestamptz,          -- the shopper's first words that no person has answered
  shopper_wrote_at timestamptz,
  human_wrote_at timestamptz,
  last_public text,                    -- first 80 characters of the newest public message, for lists
  primary key (shop_id, id),
  unique (shop_id, shopper_id),
  foreign key (shop_id, shopper_id) references shopper (shop_id, id)
) with (fillfactor = 70);
create index thread_by_agent on thread (agent_id, shop_id) where agent_id is not null;
create index thread_overdue on thread (awaiting_since) where state in ('assigned','waiting') and awaiting_since is not null;
create index thread_by_time on thread (shop_id, last_at);
select wall_shop('thread');

create table entry (
  shop_id uuid not null,
  thread_id uuid not null,
  lane smallint not null,              -- 0 public, 1 internal
  seq bigint not null,
  at timestamptz not null,
  sender_kind text not null check (sender_kind in ('shopper','agent','bot','system','push')),
  sender_id uuid not null,
  client_msg_id uuid,
  conversation_id uuid,
  kind text not null,
  body jsonb not null,
  recalled_at timestamptz,
  primary key (shop_id, thread_id, lane, seq)
);
create unique index entry_once on entry (shop_id, thread_id, sender_id, client_msg_id) where client_msg_id is not null;
select wall_shop('entry');

create table conversation (
  shop_id uuid not null,
  id uuid not null,
  thread_id uuid not null,
  shopper_id uuid not null,
  state text not null
    check (state in ('closed','bot','waiting','assigned','parked','wrap_up','message_box')),
  topic text not null default '',
  priority smallint not null default 5,
  opened_at timestamptz not null,
  opened_seq bigint not null,
  handoff_at timestamptz,              -- the shopper's place in line; never reset
  assigned_at timestamptz,
  closed_at timestamptz,
  closed_reason text,
  reopened_from uuid,
  outbound_rule uuid,                  -- the push whose reply opened it
  agent_id uuid,
  pool_id uuid,
  epoch int not null default 0,
  primary key (shop_id, id)
);
create index conversation_by_thread on conversation (shop_id, thread_id, opened_at);
create index conversation_open on conversation (shop_id, state) where state <> 'closed';
create index conversation_by_time on conversation (shop_id, opened_at);
select wall_shop('conversation');

create table receipt (
  shop_id uuid not null,
  thread_id uuid not null,
  party uuid not null,
  delivered_seq bigint not null default 0,
  read_seq bigint not null default 0,
  at timestamptz not null default clock_timestamp(),
  primary key (shop_id, thread_id, party)
);
select wall_shop('receipt');

create table product (
  shop_id uuid not null,
  id text not null,
  title text not null,
  price_fen bigint not null check (price_fen >= 0),
  picture text not null default '',
  attrs jsonb not null default '{}',
  stock int not null default 0,
  on_sale boolean not null default true,
  primary key (shop_id, id)
);
select wall_shop('product');

create table shop_order (
  shop_id uuid not null,
  id text not null,
  shopper_id uuid,
  state text not null check (state in ('unpaid','paid','shipped','signed','refunding','refunded','cancelled')),
  amount_fen bigint not null check (amount_fen >= 0),
  refunded_fen bigint not null default 0,
  lines jsonb not null default '[]',   -- [{product, title, sku, count, price_fen, picture}]
  logistics jsonb not null default '{}',
  created_at timestamptz not null,
  paid_at timestamptz,
  changed_at timestamptz not null default clock_timestamp(),
  primary key (shop_id, id)
);
create index shop_order_by_shopper on shop_order (shop_id, shopper_id, created_at desc);
create index shop_order_by_time on shop_order (shop_id, created_at);
select wall_shop('shop_order');

-- Facts for other processes, written in the transaction that makes them true, deleted in the one that follows them up.
create table outbox (
  shop_id uuid not null,
  id bigint generated always as identity,
  consumer text not null,
  fact jsonb not null,
  at timestamptz not null default clock_timestamp(),
  tries int not null default 0,
  failed text,                         -- set after too many tries; kept for people to look at
  primary key (shop_id, id)
);
create index outbox_due on outbox (consumer, id) where failed is null;

create table audit (
  shop_id uuid not null,
  id uuid not null,
  at timestamptz not null default clock_timestamp(),
  actor_role text not null,
  actor_id uuid not null,
  action text not null,
  subject text not null,
  detail jsonb not null default '{}',
  primary key (shop_id, id)
);
select wall_shop('audit');
revoke update, delete on audit from wangxin_web;

-- Appends lines to many threads in one transaction and numbers them without gaps, per thread and lane.
--
-- Locks the thread rows in id order. A line whose (thread, sender, client_msg_id) is already there is not stored again:
-- it answers with the old seq, as 'old', or as 'reused' if its words differ. A line with an epoch is refused as 'stale'
-- unless that assignment is the current one. A shopper's words (opens) in a closed thread open a conversation, whose
-- first line is an event. Returns one row for each input line, with ord = 1..n; lines that the function added itself
-- have ord null and carry their kind and body.
create function append_entries(
  p_shop uuid[], p_thread uuid[], p_lane smallint[], p_sender_kind text[], p_sender uuid[], p_msg uuid[],
  p_kind text[], p_body text[], p_opens uuid[], p_epoch int[]
) returns table (
  ord int, shop uuid, thread uuid, lane smallint, seq bigint, at timestamptz, status text,
  conversation uuid, state text, kind text, body text
) language plpgsql as $$
#variable_conflict use_column
declare
  v_now timestamptz;
begin
  perform 1 from thread t
   where (t.shop_id, t.id) in (select distinct u.s, u.t from unnest(p_shop, p_thread) u(s, t))
   order by t.shop_id, t.id for update;
  v_now := clock_timestamp();
  return query
  with line as (
    select u.* from unnest(p_shop, p_thread, p_lane, p_sender_kind, p_sender, p_msg, p_kind, p_body, p_opens, p_epoch)
      with ordinality u(shop, thread, lane, sender_kind, sender, msg, kind, body, opens, epoch, ord)
  ), seen as (
    select l.*, t.state as t_state, t.conversation_id as t_conversation, t.epoch as t_epoch, t.agent_id as t_agent,
           t.public_seq, t.internal_seq, t.last_at, t.shopper_id,
           e.seq as old_seq, e.at as old_at, e.lane as old_lane,
           (e.seq is not null and (e.kind <> l.kind or e.body <> l.body::jsonb)) as reused,
           min(l.ord) over (partition by l.thread, l.sender, coalesce(l.msg::text, l.ord::text)) as first_ord
      from line l
      left join thread t on t.shop_id = l.shop and t.id = l.thread
      left join entry e on e.shop_id = l.shop and e.thread_id = l.thread and e.sender_id = l.sender
                       and e.client_msg_id = l.msg
  ), judged as (
    select s.*,
           case when s.t_state is null then 'no_thread'
                when s.old_seq is not null then case when s.reused then 'reused' else 'old' end
                when s.first_ord < s.ord then 'twin'
                when s.epoch is not null and (s.epoch <> s.t_epoch or s.t_agent is distinct from s.sender
                     or s.t_state not in ('assigned', 'parked', 'wrap_up')) then 'stale'
                else 'new' end as verdict
      from seen s
  ), opening as (
    select distinct on (j.shop, j.thread) j.shop, j.thread, j.opens as conversation, j.t_conversation as previous,
           j.ord, j.shopper_id, j.public_seq
      from judged j
     where j.verdict = 'new' and j.opens is not null and j.t_state = 'closed'
     order by j.shop, j.thread, j.ord
  ), opened_rows as (
    insert into conversation (shop_id, id, thread_id, shopper_id, state, opened_at, opened_seq, reopened_from)
    select o.shop, o.conversation, o.thread, o.shopper_id, 'bot', v_now,
           o.public_seq + (select count(*) from judged b where b.shop = o.shop and b.thread = o.thread
                            and b.lane = 0 and b.verdict = 'new' and b.ord < o.ord) + 1,
           o.previous
      from opening o
  ), fresh as (
    select j.ord::numeric as place, j.ord::int as ord, j.shop, j.thread, j.lane, j.sender_kind, j.sender, j.msg, j.kind,
           j.body::jsonb as body, coalesce(o.conversation, j.t_conversation) as conversation,
           case when o.conversation is not null then 'bot' else j.t_state end as state,
           j.public_seq, j.internal_seq, j.last_at
      from judged j left join opening o on o.shop = j.shop and o.thread = j.thread and o.ord <= j.ord
     where j.verdict = 'new'
    union all
    select o.ord - 0.5, null, o.shop, o.thread, 0::smallint, 'system', '00000000-0000-0000-0000-000000000000'::uuid,
           null, 'event', jsonb_build_object('event', 'conversation.opened', 'conversation', o.conversation),
           o.conversation, 'bot', t.public_seq, t.internal_seq, t.last_at
      from opening o join thread t on t.shop_id = o.shop and t.id = o.thread
  ), numbered as (
    select f.*, case f.lane when 0 then f.public_seq else f.internal_seq end
                + row_number() over (partition by f.shop, f.thread, f.lane order by f.place) as seq,
           greatest(f.last_at, v_now) as at
      from fresh f
  ), stored as (
    insert into entry (shop_id, thread_id, lane, seq, at, sender_kind, sender_id, client_msg_id, conversation_id,
                       kind, body)
    select n.shop, n.thread, n.lane, n.seq, n.at, n.sender_kind, n.sender, n.msg, n.conversation, n.kind, n.body
      from numbered n
  ), per_thread as (
    select n.shop, n.thread, max(n.at) as at,
           count(*) filter (where n.lane = 0) as public_n, count(*) filter (where n.lane = 1) as internal_n,
           bool_or(n.sender_kind = 'shopper' and n.lane = 0 and n.kind not in ('event', 'rating')) as shopper_wrote,
           max(n.place) filter (where n.sender_kind = 'agent' and n.lane = 0 and n.kind <> 'event') as human_place,
           max(n.place) filter (where n.sender_kind = 'shopper' and n.lane = 0 and n.kind not in ('event', 'rating'))
             as shopper_place,
           (array_agg(left(case when n.kind = 'text' then n.body->>'text' else '[' || n.kind || ']' end, 80)
              order by n.place desc) filter (where n.lane = 0 and n.kind <> 'event'))[1] as last_public
      from numbered n group by n.shop, n.thread
  ), moved as (
    update thread t
       set public_seq = t.public_seq + p.public_n,
           internal_seq = t.internal_seq + p.internal_n,
           last_at = p.at,
           conversation_id = coalesce(o.conversation, t.conversation_id),
           state = case when o.conversation is not null then 'bot' else t.state end,
           agent_id = case when o.conversation is not null then null else t.agent_id end,
           pool_id = case when o.conversation is not null then null else t.pool_id end,
           awaiting_since = case
             when p.human_place is not null and p.human_place > coalesce(p.shopper_place, -1) then null
             when p.human_place is not null then p.at
             when p.shopper_wrote and (t.awaiting_since is null or o.conversation is not null) then p.at
             else t.awaiting_since end,
           shopper_wrote_at = case when p.shopper_wrote then p.at else t.shopper_wrote_at end,
           human_wrote_at = case when p.human_place is not null then p.at else t.human_wrote_at end,
           last_public = coalesce(p.last_public, t.last_public)
      from per_thread p left join opening o on o.shop = p.shop and o.thread = p.thread
     where t.shop_id = p.shop and t.id = p.thread
  ), told as (
    -- the bot reads what a shopper writes to it; the dispatcher hears when one comes back to a parked conversation
    insert into outbox (shop_id, consumer, fact)
    select n.shop, case when n.state = 'bot' then 'bot' else 'dispatcher' end,
           jsonb_build_object('fact', case when n.state = 'bot' then 'shopper_spoke' else 'shopper_returned' end,
             'shop', n.shop, 'thread', n.thread, 'conversation', n.conversation, 'seq', n.seq,
             'at_ms', (extract(epoch from n.at) * 1000)::bigint)
      from numbered n
     where n.sender_kind = 'shopper' and n.lane = 0
       and ((n.state = 'bot' and n.kind in ('text', 'image', 'video', 'product', 'order'))
            or (n.state in ('parked', 'wrap_up') and n.kind <> 'rating'))
     order by n.shop, n.thread, n.seq
  )
  select n.ord, n.shop, n.thread, n.lane, n.seq, n.at, 'new'::text, n.conversation, n.state,
         case when n.ord is null then n.kind end, case when n.ord is null then n.body::text end
    from numbered n
  union all
  select j.ord::int, j.shop, j.thread, coalesce(j.old_lane, j.lane), j.old_seq, j.old_at, j.verdict, j.t_conversation,
         j.t_state, null, null
    from judged j where j.verdict in ('old', 'reused', 'stale', 'no_thread')
  union all
  select j.ord::int, j.shop, j.thread, j.lane, n.seq, n.at,
         case when n.kind = j.kind and n.body = j.body::jsonb then 'old' else 'reused' end, n.conversation, n.state, null,
         null
    from judged j join numbered n on n.ord = j.first_ord where j.verdict = 'twin';
end $$;
