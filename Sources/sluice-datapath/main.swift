print("datapath")
