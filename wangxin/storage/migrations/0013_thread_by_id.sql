-- Threads are found by their id alone. While the statistics say that thread is empty, all indexes that lead with
-- shop_id cost the same, and the plan that an append keeps could walk through all threads of the shop for each line.
-- "(…) is true" keeps the shop a condition, but none that an index answers.

create unique index thread_by_id on thread (id);

create or replace function append_entries(
  p_shop uuid[], p_thread uuid[], p_lane smallint[], p_sender_kind text[], p_sender uuid[], p_msg uuid[],
  p_kind text[], p_body text[], p_opens uuid[], p_epoch int[]
) returns table (
  ord int, shop uuid, thread uuid, lane smallint, seq bigint, at timestamptz, status text,
  conversation uuid, state text, kind text, body text
) language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  v_now timestamptz;
begin
  perform 1 from (select distinct u.s, u.t from unnest(p_shop, p_thread) u(s, t) order by 1, 2) w
    cross join lateral (select 1 from thread t where t.id = w.t and (t.shop_id = w.s) is true for update) locked;
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
      left join lateral (select * from thread x where x.id = l.thread and (x.shop_id = l.shop) is true limit 1) t on true
      left join lateral (select x.seq, x.at, x.lane, x.kind, x.body from entry x
                          where x.shop_id = l.shop and x.thread_id = l.thread and x.sender_id = l.sender
                            and x.client_msg_id = l.msg limit 1) e on true
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
      from opening o join thread t on t.id = o.thread and (t.shop_id = o.shop) is true
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
     where t.id = p.thread and (t.shop_id = p.shop) is true
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
