"""What clouds got to hold of the requests of generative models, as tables show it."""

import pandas as pd
from rich.table import Table

from experiments.campaign import Campaign

MOST_CLOUDS = 24


def held_by_any(campaign: Campaign) -> str:
    """Return every tensor that some cloud held, with its depths where it has any."""
    if campaign.held.empty:
        return "nothing"
    depths = campaign.held.groupby(level="tensor", sort=False, observed=True).agg(
        {"depth_least": "min", "depth_most": "max"}
    )
    return ", ".join(named(str(tensor), row) for tensor, row in depths.iterrows())


def holdings_table(campaigns: list[Campaign]) -> Table | None:
    """Tabulate what each cloud held; none where nobody held anything or there are too many."""
    clouds = campaigns[0].scenario.topology.clouds
    showing = [campaign for campaign in campaigns if not campaign.held.empty]
    if len(clouds) > MOST_CLOUDS or not showing:
        return None
    table = Table(
        title="What each cloud held of one request",
        caption="Depth of hidden states in layers, of latents and noise in steps done.",
    )
    table.add_column("policy", no_wrap=True)
    for name in ("cloud", "device", "held"):
        table.add_column(name)
    for campaign in showing:
        for cloud in clouds:
            held = _held_by(campaign, cloud.name)
            if held:
                device = cloud.device.name if cloud.device else ""
                table.add_row(campaign.scenario.policy_name, cloud.name, device, held)
    return table


def _held_by(campaign: Campaign, cloud: str) -> str:
    """Return what one cloud held; empty where that is nothing."""
    if cloud not in campaign.held.index.get_level_values("node"):
        return ""
    rows = campaign.held.loc[[cloud]].droplevel("node")
    return ", ".join(named(str(tensor), row) for tensor, row in rows.iterrows())


def named(tensor: str, row: pd.Series) -> str:
    """Return a tensor with its depths, where it has any."""
    least, most = int(row["depth_least"]), int(row["depth_most"])
    if most == 0:
        return tensor
    return f"{tensor} {least}" if least == most else f"{tensor} {least}-{most}"
