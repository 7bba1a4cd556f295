-- What a batch of the dispatcher's decisions makes of conversations and threads, and the lines that tell of it, in one
-- statement. It knows what append_entries must find out: the caller holds the threads' locks, every line is the system's
-- and new, none opens a conversation. One row a thread; lines of a lane are numbered by their place in it.
create function append_moved(
  p_shop uuid[], p_thread uuid[], p_conversation uuid[], p_state text[], p_agent uuid[], p_pool uuid[], p_epoch int[],
  p_waited boolean[], p_given boolean[], p_closed text[], p_public int[], p_internal int[],
  l_of int[], l_lane smallint[], l_place int[], l_kind text[], l_body text[]
) returns void
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  v_now timestamptz := clock_timestamp();
  v_n int;
begin
  update conversation c
     set state = m.state, agent_id = m.agent, pool_id = m.pool, epoch = m.epoch,
         handoff_at = case when m.waited then coalesce(c.handoff_at, v_now) else c.handoff_at end,
         assigned_at = case when m.given then coalesce(c.assigned_at, v_now) else c.assigned_at end,
         closed_at = case when m.closed is not null then v_now else c.closed_at end,
         closed_reason = coalesce(m.closed, c.closed_reason)
    from unnest(p_shop, p_conversation, p_state, p_agent, p_pool, p_epoch, p_waited, p_given, p_closed)
           m(shop, conversation, state, agent, pool, epoch, waited, given, closed)
   where c.shop_id = m.shop and c.id = m.conversation;
  get diagnostics v_n = row_count;
  if v_n <> cardinality(p_thread) then
    raise exception 'append_moved: a conversation is not there';
  end if;
  with moved as (
    update thread t
       set state = m.state, epoch = m.epoch,
           agent_id = case when m.state = 'closed' then null else m.agent end,
           pool_id = case when m.state = 'closed' then null else m.pool end,
           awaiting_since = case when m.closed is not null then null else t.awaiting_since end,
           public_seq = t.public_seq + m.public_n, internal_seq = t.internal_seq + m.internal_n,
           last_at = case when m.public_n + m.internal_n > 0 then greatest(t.last_at, v_now) else t.last_at end
      from unnest(p_shop, p_thread, p_state, p_agent, p_pool, p_epoch, p_closed, p_public, p_internal)
             with ordinality m(shop, thread, state, agent, pool, epoch, closed, public_n, internal_n, ord)
     where t.id = m.thread and (t.shop_id = m.shop) is true
    returning m.ord, t.shop_id as shop, t.id as thread, t.conversation_id as conversation, t.last_at,
              t.public_seq - m.public_n as public_before, t.internal_seq - m.internal_n as internal_before
  )
  insert into entry (shop_id, thread_id, lane, seq, at, sender_kind, sender_id, conversation_id, kind, body)
  select m.shop, m.thread, l.lane, case l.lane when 0 then m.public_before else m.internal_before end + l.place,
         m.last_at, 'system', '00000000-0000-0000-0000-000000000000'::uuid, m.conversation, l.kind, l.body::jsonb
    from unnest(l_of, l_lane, l_place, l_kind, l_body) l(of, lane, place, kind, body)
    join moved m on m.ord = l.of;
end $$;
