-- A chunk of pushed lines of one shop and rule, in one statement that is the last of its transaction: threads that are
-- missing are made with their final numbers, the others are locked in id order, numbered and moved on. It knows what
-- append_entries must find out line by line: they are public, open no conversation, carry no assignment, and are new
-- (the ledger's key, written before in the same transaction, says so; a line that is there already breaks it).
--
-- One row a line, lines of a thread side by side; p_shopper is null where the thread exists.
create function append_pushed(
  p_shop uuid, p_sender uuid, p_thread uuid[], p_shopper uuid[], p_msg uuid[], p_kind text[], p_body text[]
) returns void
language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  v_now timestamptz := clock_timestamp();
  v_n int;
begin
  insert into thread (shop_id, id, shopper_id, public_seq, last_at, last_public)
  select p_shop, u.thread, u.shopper, count(*), v_now,
         (array_agg(left(case when u.kind = 'text' then u.body::jsonb->>'text' else '[' || u.kind || ']' end, 80)
            order by u.ord desc) filter (where u.kind <> 'event'))[1]
    from unnest(p_thread, p_shopper, p_kind, p_body) with ordinality u(thread, shopper, kind, body, ord)
   where u.shopper is not null group by u.thread, u.shopper order by u.shopper;

  perform 1 from (select distinct u.thread from unnest(p_thread, p_shopper) u(thread, shopper)
                   where u.shopper is null order by 1) w
    cross join lateral (select 1 from thread t where t.id = w.thread and (t.shop_id = p_shop) is true for update) l;
  v_now := clock_timestamp();
  update thread t
     set public_seq = t.public_seq + p.n, last_at = greatest(t.last_at, v_now),
         last_public = coalesce(p.last_public, t.last_public)
    from (select u.thread, count(*) as n,
                 (array_agg(left(case when u.kind = 'text' then u.body::jsonb->>'text' else '[' || u.kind || ']' end, 80)
                    order by u.ord desc) filter (where u.kind <> 'event'))[1] as last_public
            from unnest(p_thread, p_shopper, p_kind, p_body) with ordinality u(thread, shopper, kind, body, ord)
           where u.shopper is null group by u.thread) p
   where t.id = p.thread and (t.shop_id = p_shop) is true;

  insert into entry (shop_id, thread_id, lane, seq, at, sender_kind, sender_id, client_msg_id, conversation_id, kind,
                     body)
  select p_shop, l.thread, 0, t.public_seq - l.n + l.place, t.last_at, 'push', p_sender, l.msg, t.conversation_id,
         l.kind, l.body::jsonb
    from (select u.*, count(*) over (partition by u.thread) as n,
                 row_number() over (partition by u.thread order by u.ord) as place
            from unnest(p_thread, p_msg, p_kind, p_body) with ordinality u(thread, msg, kind, body, ord)) l
    cross join lateral (select x.public_seq, x.last_at, x.conversation_id from thread x
                         where x.id = l.thread and (x.shop_id = p_shop) is true limit 1) t;
  get diagnostics v_n = row_count;
  if v_n <> cardinality(p_thread) then
    raise exception 'append_pushed: a line names a thread that is not of this shop';
  end if;
end $$;
