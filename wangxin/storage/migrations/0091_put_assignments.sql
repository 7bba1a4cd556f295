-- Assignments that a batch of decisions ends, then those that it begins (some of them over already), in one round trip.
create function put_assignments(
  e_shop uuid[], e_conversation uuid[], e_reason text[],
  p_shop uuid[], p_conversation uuid[], p_epoch int[], p_thread uuid[], p_shopper uuid[], p_agent uuid[], p_pool uuid[],
  p_provider uuid[], p_contract uuid[], p_contract_version int[], p_policy_version int[], p_stage smallint[],
  p_reason text[], p_level smallint[], p_waited_ms bigint[], p_predicted_ms bigint[], p_explanation text[],
  p_ended text[], p_wrapped boolean[]
) returns void language plpgsql set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
begin
  update assignment a set released_at = clock_timestamp(), release_reason = e.reason
    from unnest(e_shop, e_conversation, e_reason) e(shop, conversation, reason)
   where a.shop_id = e.shop and a.conversation_id = e.conversation and a.released_at is null;
  insert into assignment (shop_id, conversation_id, epoch, thread_id, shopper_id, agent_id, pool_id, provider_id,
    contract_id, contract_version, policy_version, stage, reason, level, waited_ms, predicted_ms, explanation,
    released_at, release_reason, wrapped_at)
  select n.shop, n.conversation, n.epoch, n.thread, n.shopper, n.agent, n.pool, n.provider, n.contract,
    n.contract_version, n.policy_version, n.stage, n.reason, n.level, n.waited_ms, n.predicted_ms,
    n.explanation::jsonb, case when n.ended is not null then clock_timestamp() end, n.ended,
    case when n.wrapped then clock_timestamp() end
    from unnest(p_shop, p_conversation, p_epoch, p_thread, p_shopper, p_agent, p_pool, p_provider, p_contract,
      p_contract_version, p_policy_version, p_stage, p_reason, p_level, p_waited_ms, p_predicted_ms, p_explanation,
      p_ended, p_wrapped) n(shop, conversation, epoch, thread, shopper, agent, pool, provider, contract,
      contract_version, policy_version, stage, reason, level, waited_ms, predicted_ms, explanation, ended, wrapped);
end $$;
