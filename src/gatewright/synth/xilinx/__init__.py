"""AMD (Xilinx) devices with 6-input LUTs: 7 series, UltraScale and UltraScale+."""
